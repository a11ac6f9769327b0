package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
)

// keepJournal records what a daemon did while the server was away.
func (s *Server) keepJournal(ctx context.Context, c call[api.Journal]) (api.JournalKept, error) {
	kept, err := s.vault.KeepJournal(ctx, c.client.Origin, c.attested, c.In.Entries)
	return api.JournalKept{Recorded: kept}, s.guard.Failed(c.client, err)
}
