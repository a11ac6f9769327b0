package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) freeze(ctx context.Context, c call[api.FreezeTarget]) (api.Frozen, error) {
	f, already, err := s.vault.Freeze(ctx, c.By, freezeTarget(c.In), c.In.Reason)
	return api.Frozen{
		Frozen: true, Kind: string(f.Kind), Name: f.Name, Namespace: f.Namespace, AlreadyFrozen: already,
	}, err
}

func (s *Server) unfreeze(ctx context.Context, c call[api.FreezeTarget]) (api.Unfrozen, error) {
	f, err := s.vault.Unfreeze(ctx, c.By, freezeTarget(c.In))
	return api.Unfrozen{Unfrozen: true, Kind: string(f.Kind), Name: f.Name, Namespace: f.Namespace}, err
}

func (s *Server) listFreezes(ctx context.Context, q *request) ([]api.Freeze, error) {
	rows, err := s.vault.Freezes(ctx, q.By)
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, 0, freezeAt, wireFreeze)
}

func freezeTarget(in api.FreezeTarget) vault.FreezeTarget {
	return vault.FreezeTarget{Kind: vault.FreezeKind(in.Kind), Name: in.Name, ID: in.ID, Namespace: in.Namespace}
}

func wireFreeze(f vault.Freeze) api.Freeze {
	row := api.Freeze{
		Kind: string(f.Kind), Name: f.Name, ID: f.ID, Namespace: f.Namespace, FrozenBy: f.By, FrozenAt: api.NewTime(f.At),
	}
	if f.Reason != "" {
		row.Reason = &f.Reason
	}
	return row
}
