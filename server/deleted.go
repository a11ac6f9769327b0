package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
)

func (s *Server) deleteSecret(ctx context.Context, q *request) (api.Deleted, error) {
	return api.Deleted{Deleted: true}, s.vault.DeleteSecret(ctx, q.By, q.PathValue("id"))
}

func (s *Server) undeleteSecret(ctx context.Context, q *request) (api.UndeletedSecret, error) {
	sec, err := s.vault.UndeleteSecret(ctx, q.By, q.PathValue("id"))
	return api.UndeletedSecret{Undeleted: true, ID: sec.ID, KeyPath: sec.Path, Namespace: sec.Namespace}, err
}

// stillHeld is what a destroyed secret's owner has to know.
const stillHeld = "backups and copies of the database file made before still hold the secret, and open with the operator password of their time: destroy them too, or change the value where it is used"

func (s *Server) destroySecret(ctx context.Context, q *request) (api.DestroyedSecret, error) {
	id := q.PathValue("id")
	n, err := s.vault.DestroySecret(ctx, q.By, id)
	return api.DestroyedSecret{Destroyed: true, ID: id, Versions: int64(n), Note: stillHeld}, err
}
