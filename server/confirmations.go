package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listConfirmations(ctx context.Context, q *request) ([]api.Confirmation, error) {
	rows, err := s.vault.Confirmations(ctx, q.By)
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, 0, confirmAt, wireConfirmation)
}

func (s *Server) confirm(ctx context.Context, q *request) (api.Confirmation, error) {
	c, err := s.vault.Confirm(ctx, q.By, q.PathValue("id"))
	return wireConfirmation(c), err
}

func (s *Server) rejectConfirmation(ctx context.Context, q *request) (api.Deleted, error) {
	return api.Deleted{Deleted: true}, s.vault.RejectConfirmation(ctx, q.By, q.PathValue("id"))
}

func wireConfirmation(c vault.Confirmation) api.Confirmation {
	return api.Confirmation{
		ID: c.ID, Action: string(c.Action), What: c.What, AskedBy: c.AskedBy,
		CreatedAt: api.NewTime(c.Created), ExpiresAt: api.NewTime(c.Expires), ConfirmedBy: c.ConfirmedBy,
	}
}
