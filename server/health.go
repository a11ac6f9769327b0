package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/token"
)

// health says whether the server can work: 200, or 503 with what is wrong.
func (s *Server) health(ctx context.Context, q *request) (int, any, error) {
	// Whoever sends no more may still read: the end of what it sends ends ctx.
	err := s.vault.Health(context.WithoutCancel(ctx))
	switch {
	case err == nil:
		return http.StatusOK, api.Health{Status: "ok", DB: "ok"}, nil
	case errors.Is(err, vault.ErrSealed):
		return http.StatusServiceUnavailable, api.Health{Status: "sealed", DB: "ok"}, nil
	}
	s.log.Error("health", "err", err)
	return http.StatusServiceUnavailable, api.Health{Status: "error", DB: "error"}, nil
}

// jwks publishes the keys that tokens are signed with.
func (s *Server) jwks(ctx context.Context, _ *request) (token.Set, error) {
	keys, err := s.vault.JWKS(ctx)
	if err != nil {
		return token.Set{}, err
	}
	set := make([]token.Key, 0, len(keys))
	for _, k := range keys {
		set = append(set, token.Key{ID: k.KID, Public: k.Public})
	}
	return token.JWKS(set), nil
}
