package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
)

func (s *Server) auditHead(ctx context.Context, q *request) (api.AuditHead, error) {
	h, err := s.vault.SignedHead(ctx, q.By)
	if err != nil {
		return api.AuditHead{}, err
	}
	return api.AuditHead{Note: h.Note.String(), VerifierKey: h.Key.String()}, nil
}
