package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// An SSHLogin is what an SSH client wants signed to log in, and how it is known into
// which host that leads. But for Name, everything is as it goes over the wire of SSH.
type SSHLogin struct {
	// Name is the variable that the project has the key as.
	Name string
	// HostSignature is the host's signature of the session's id.
	HostKey, Session, HostSignature []byte
	// Request is what to sign.
	Request []byte
}

// SignSSH has the vault sign with a key that a project token opens, for a command as
// [Client.ProjectSecrets] does.
func (c *Client) SignSSH(ctx context.Context, project string, token opaque.Bytes, by Attester, caller CallerContext, in SSHLogin) (signature []byte, err error) {
	if !proof.ValidName(project) {
		return nil, fmt.Errorf("bad project name %q: use 1 to 128 of A-Z a-z 0-9 _ . -", printable(project, 128))
	}
	text := base64.StdEncoding.EncodeToString
	body, err := plainJSON(api.SSHSign{
		Name: in.Name, HostKey: text(in.HostKey), Session: text(in.Session), HostSignature: text(in.HostSignature), Request: text(in.Request),
		Command: caller.Command,
	})
	if err != nil {
		return nil, err
	}
	r := request{method: http.MethodPost, path: at("/project/ssh-signatures/", project), header: bearer(token), body: body}
	if err := attest(by, &r, proof.AuthTokenID(string(token.Reveal()))); err != nil {
		return nil, err
	}
	if err := attestCaller(by, &r, caller); err != nil {
		return nil, err
	}
	out, err := call[api.SSHSignature](ctx, c, r)
	if err != nil {
		return nil, err
	}
	if signature, err = base64.StdEncoding.DecodeString(out.Signature); err != nil || len(signature) == 0 {
		return nil, errLacks("signature")
	}
	return signature, nil
}
