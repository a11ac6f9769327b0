package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func (s *Server) keepSecrets(ctx context.Context, c call[api.Bulk]) (api.BulkResult, error) {
	content := opaque.New(c.In.Content.Reveal())
	defer content.Wipe()
	r, err := s.vault.KeepSecrets(ctx, c.By, vault.Bulk{
		Format: c.In.Format, Content: content, Namespace: c.In.Namespace, Prefix: c.In.Prefix, Lowercase: c.In.Lowercase,
		OnConflict: c.In.OnConflict, DryRun: c.In.DryRun,
	})
	return api.BulkResult{
		DryRun: c.In.DryRun, Created: listed(r.Created), Updated: listed(r.Updated), Unchanged: listed(r.Unchanged),
		Skipped: listed(r.Skipped), Conflicts: listed(r.Conflicts),
		Invalid: wireAll(r.Invalid, func(p vault.BulkProblem) api.BulkProblem { return api.BulkProblem(p) }),
	}, err
}
