package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listVersions(ctx context.Context, q *request) ([]api.SecretVersion, error) {
	rows, err := s.vault.SecretVersions(ctx, q.By, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, 0, versionAt, wireVersion)
}

func (s *Server) rollbackSecret(ctx context.Context, c call[api.RollbackSecret]) (api.Updated, error) {
	if c.In.Version < 1 {
		return api.Updated{}, &vault.InvalidError{Field: "version", Reason: "must be a version of the secret"}
	}
	r := vault.Rollback{Version: uint64(c.In.Version), Message: c.In.Message}
	var err error
	if r.IfVersion, err = ifVersion(c.In.IfVersion); err != nil {
		return api.Updated{}, err
	}
	sec, err := s.vault.RollbackSecret(ctx, c.By, c.PathValue("id"), r)
	return api.Updated{Updated: true, ID: sec.ID, Version: int64(sec.Version), PublicKey: sec.PublicKey}, err
}

func wireVersion(v vault.SecretVersion) api.SecretVersion {
	return api.SecretVersion{
		Version: int64(v.Version), CreatedAt: api.NewTime(v.Created), CreatedBy: v.By, Message: v.Message,
		RolledBackTo: int64(v.RolledBackTo), PublicKey: v.PublicKey,
	}
}
