package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/dotenv"
)

// discoverBody is api.DiscoverRequest as the server reads it. Only names are
// wanted of the file, but older daemons send all of it, values included, and
// those shall not become a Go string.
type discoverBody struct {
	AgentID         string          `json:"agent_id"`
	AuthProof       string          `json:"auth_proof"`
	Context         discoverContext `json:"context"`
	TS              *int64          `json:"ts,omitempty"`
	Nonce           *string         `json:"nonce,omitempty"`
	RegenerateToken *bool           `json:"regenerate_token,omitempty"`
	SignedToken     bool            `json:"signed_token,omitempty"`
	Command         json.RawMessage `json:"command,omitempty"`
}

type discoverContext struct {
	ProjectName string    `json:"project_name"`
	FileContent api.Value `json:"file_content"`
}

func (s *Server) discover(ctx context.Context, c call[discoverBody]) (disclosure, error) {
	file := c.In.Context.FileContent
	defer file.Wipe()
	if err := s.limits.discover.Take(discoverer(c)); err != nil {
		return disclosure{}, err
	}
	names, err := dotenv.Names(file.Reveal())
	if err != nil {
		return disclosure{}, &vault.InvalidError{Field: "context.file_content", Reason: "is refused: " + err.Error()}
	}
	command, err := commandOf(c.In.Command)
	if err != nil {
		return disclosure{}, err
	}
	r, err := s.vault.Discover(ctx, c.client.Origin, vault.DiscoverRequest{
		AgentID: c.In.AgentID, AuthProof: c.In.AuthProof, TS: c.In.TS, Nonce: c.In.Nonce, Attested: c.attested,
		Project: c.In.Context.ProjectName, Names: names,
		Regenerate: c.In.RegenerateToken != nil && *c.In.RegenerateToken, SignedToken: c.In.SignedToken,
		Command: command,
	})
	if err != nil {
		return disclosure{}, s.guard.Failed(c.client, err)
	}
	return wireDiscover(r), nil
}

// discoverer says whom a discovery counts for: the agent whose daemon attested
// it. The id in the body is but a claim until its proof is verified, and
// whoever made it could use up another's share; where nothing is attested,
// which is for trying things out, it has to do.
func discoverer(c call[discoverBody]) [32]byte {
	if c.attested != nil {
		return sha256.Sum256([]byte("agent|" + c.attested.AgentRow()))
	}
	return sha256.Sum256([]byte("claim|" + c.client.Source.String() + "|" + c.In.AgentID))
}

func wireDiscover(r vault.DiscoverResult) disclosure {
	token := api.NewValue(r.Token.Reveal())
	out := api.DiscoverResponse{
		MappedKeys: r.Mapped, FullMatched: r.FullMatched, ProjectToken: token,
		TokenExpiresAt: api.NewTime(r.Expires), TokenTTLSeconds: int64(r.TTL.Seconds()),
		UnmatchedKeys: listed(r.Unmatched), Namespace: r.Namespace, Scope: listed(r.Scope),
	}
	if r.Masking != vault.MaskAlways {
		out.Masking = string(r.Masking)
	}
	if r.OnFreeze != vault.FreezeLeaves {
		out.OnFreeze = string(r.OnFreeze)
	}
	if r.Commands != vault.CommandsAny {
		out.Commands = string(r.Commands)
	}
	if r.Signed != nil {
		out.SignedProjectToken = api.NewValue([]byte(*r.Signed))
	}
	if out.MappedKeys == nil {
		out.MappedKeys = map[string]string{}
	}
	return disclose(out, token, out.SignedProjectToken)
}
