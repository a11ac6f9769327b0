package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listShares(ctx context.Context, q *request) ([]api.SecretShare, error) {
	rows, err := s.vault.SecretShares(ctx, q.By, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, 0, shareAt, wireShare)
}

func (s *Server) shareSecret(ctx context.Context, c call[api.ShareSecret]) (api.SecretShare, error) {
	share, err := s.vault.ShareSecret(ctx, c.By, c.PathValue("id"), c.In.Namespace, c.In.KeyPath)
	return wireShare(share), err
}

func (s *Server) unshareSecret(ctx context.Context, q *request) (api.Deleted, error) {
	return api.Deleted{Deleted: true}, s.vault.UnshareSecret(ctx, q.By, q.PathValue("id"), q.PathValue("namespace"))
}

func wireShare(s vault.Share) api.SecretShare {
	return api.SecretShare{
		SecretID: s.SecretID, Namespace: s.Namespace, KeyPath: s.Path, SharedBy: s.By, SharedAt: api.NewTime(s.Created),
	}
}
