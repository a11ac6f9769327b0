package server

import (
	"context"
	"encoding/json"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/pinned"
)

func (s *Server) listPins(ctx context.Context, q *request) ([]api.Pin, error) {
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	page := func(p vault.Page) ([]vault.Pin, string, error) {
		return s.vault.PinsPage(ctx, q.By, namespace, q.PathValue("project"), p)
	}
	return pagedBy(s, q, 0, func() ([]vault.Pin, error) {
		all, _, err := page(vault.Page{})
		return all, err
	}, page, wirePin)
}

// createPinBody is api.CreatePin as the server reads it: an unknown member of a pin is
// no small thing, so package pinned reads that.
type createPinBody struct {
	Pin json.RawMessage `json:"pin"`
}

func (s *Server) createPin(ctx context.Context, c call[createPinBody]) (api.Pin, error) {
	namespace, err := c.namespace()
	if err != nil {
		return api.Pin{}, err
	}
	allowed, err := pinned.ParsePin(c.In.Pin)
	if err != nil {
		return api.Pin{}, wrongMember("pin", err)
	}
	p, err := s.vault.CreatePin(ctx, c.By, namespace, c.PathValue("project"), allowed)
	return wirePin(p), err
}

func (s *Server) approvePin(ctx context.Context, c call[api.ApprovePin]) (api.Pin, error) {
	p, err := s.vault.ApprovePin(ctx, c.By, c.PathValue("project"), c.PathValue("id"), vault.PinChange(c.In))
	return wirePin(p), err
}

func (s *Server) denyPin(ctx context.Context, q *request) (api.DeniedGrant, error) {
	id := q.PathValue("id")
	return api.DeniedGrant{Denied: true, ID: id}, s.vault.DenyPin(ctx, q.By, q.PathValue("project"), id)
}

func (s *Server) deletePin(ctx context.Context, q *request) (api.DeletedID, error) {
	id := q.PathValue("id")
	return api.DeletedID{Deleted: true, ID: id}, s.vault.DeletePin(ctx, q.By, q.PathValue("project"), id)
}

// commandOf reads what a request is for, nil if it does not say.
func commandOf(text json.RawMessage) (*pinned.Command, error) {
	if text == nil || string(text) == "null" {
		return nil, nil
	}
	c, err := pinned.ParseCommand(text)
	if err != nil {
		return nil, wrongMember("command", err)
	}
	return &c, nil
}

// wrongMember says in which member something is wrong.
func wrongMember(name string, err error) error {
	return &vault.InvalidError{Field: name, Reason: "is refused: " + err.Error()}
}

func wirePin(p vault.Pin) api.Pin {
	return api.Pin{
		ID: p.ID, ProjectName: p.Project, Namespace: p.Namespace, Status: p.Status, AgentID: p.Agent,
		Command: wireCommand(p.Command), CommandDigest: p.Digest, Pin: wirePinRule(p.Pin), Weakness: listed(p.Weakness()),
		FirstAsked: api.NewTime(p.First), LastAsked: api.NewTime(p.Last), DecidedAt: wireTime(p.DecidedAt), DecidedBy: p.DecidedBy, SourceIP: p.Source,
	}
}

func wireCommand(c *pinned.Command) *api.Command {
	if c == nil {
		return nil
	}
	return &api.Command{
		Program: c.Program, ProgramSHA256: c.ProgramSHA256, Interpreter: c.Interpreter, InterpreterSHA256: c.InterpreterSHA256,
		Args: listed(c.Args), Files: wireFiles(c.Files), Dir: c.Dir, Weak: c.Weak,
	}
}

func wirePinRule(p *pinned.Pin) *api.PinRule {
	if p == nil {
		return nil
	}
	return &api.PinRule{
		Program: p.Program, ProgramSHA256: p.ProgramSHA256, Interpreter: p.Interpreter, InterpreterSHA256: p.InterpreterSHA256,
		Args: listed(p.Args), Files: wireFiles(p.Files), Dirs: p.Dirs, Env: p.Env, Weak: p.Weak, Sealed: p.Sealed,
	}
}

func wireFiles(files []pinned.File) []api.CommandFile {
	return wireAll(files, func(f pinned.File) api.CommandFile { return api.CommandFile(f) })
}
