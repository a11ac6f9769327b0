package server

import (
	"context"
	"encoding/base64"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

// signSSH has a key of the project sign that a client logs in.
func (s *Server) signSSH(ctx context.Context, c call[api.SSHSign]) (api.SSHSignature, error) {
	command, err := commandOf(c.In.Command)
	if err != nil {
		return api.SSHSignature{}, err
	}
	r := vault.SSHRequest{
		Command: command,
		Project: c.PathValue("project"), Bearer: c.bearer, Attestation: c.attestation, Caller: c.callerProof(), Body: c.raw, Variable: c.In.Name,
	}
	for _, m := range []struct {
		name, text string
		to         *[]byte
	}{
		{"host_key", c.In.HostKey, &r.HostKey},
		{"session", c.In.Session, &r.Session},
		{"host_signature", c.In.HostSignature, &r.HostSignature},
		{"request", c.In.Request, &r.Data},
	} {
		var err error
		if *m.to, err = base64.StdEncoding.Strict().DecodeString(m.text); err != nil {
			return api.SSHSignature{}, &vault.InvalidError{Field: m.name, Reason: "must be base64"}
		}
	}
	signature, err := s.vault.SignSSH(ctx, c.client.ActingFor(c.Header).Origin, r)
	return api.SSHSignature{Signature: base64.StdEncoding.EncodeToString(signature)}, s.guard.Failed(c.client, err)
}
