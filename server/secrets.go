package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func (s *Server) listSecrets(ctx context.Context, q *request) ([]api.Secret, error) {
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	p, err := s.part(q)
	if err != nil {
		return nil, err
	}
	if p.whole {
		rows, err := s.vault.Secrets(ctx, q.By, namespace)
		return wireAll(rows, wireSecret), err
	}
	rows, next, err := s.vault.SecretsPage(ctx, q.By, namespace, p.Page)
	if err != nil {
		return nil, err
	}
	return wireAll(rows, wireSecret), s.next(q, p, next)
}

func (s *Server) createSecret(ctx context.Context, c call[api.CreateSecret]) (api.CreatedSecret, error) {
	value := opaque.New(c.In.Value.Reveal())
	defer value.Wipe()
	sec, err := s.vault.CreateSecret(ctx, c.By, vault.NewSecret{
		Path: c.In.KeyPath, Type: vault.SecretType(c.In.SecretType), Value: value,
		Description: c.In.Description, Namespace: c.In.Namespace, Honey: c.In.IsHoneyToken,
	})
	return api.CreatedSecret{ID: sec.ID, KeyPath: sec.Path, Namespace: sec.Namespace}, err
}

func (s *Server) readSecret(ctx context.Context, q *request) (disclosure, error) {
	sec, plain, err := s.vault.ReadSecret(ctx, q.By, q.PathValue("id"))
	value := api.NewValue(plain.Reveal())
	return disclose(api.SecretDetail{
		ID: sec.ID, KeyPath: sec.Path, SecretType: string(sec.Type), Value: value, Description: sec.Description,
		Namespace: sec.Namespace, IsHoneyToken: sec.Honey, CreatedAt: api.NewTime(sec.Created), UpdatedAt: api.NewTime(sec.Updated),
	}, value), err
}

func (s *Server) updateSecret(ctx context.Context, c call[api.UpdateSecret]) (api.Updated, error) {
	change := vault.SecretChange{Description: c.In.Description, Honey: c.In.IsHoneyToken}
	if !c.In.Value.IsZero() {
		value := opaque.New(c.In.Value.Reveal())
		defer value.Wipe()
		change.Value = &value
	}
	sec, err := s.vault.UpdateSecret(ctx, c.By, c.PathValue("id"), change)
	return api.Updated{Updated: true, ID: sec.ID}, err
}

func (s *Server) deleteSecret(ctx context.Context, q *request) (api.Deleted, error) {
	return api.Deleted{Deleted: true}, s.vault.DeleteSecret(ctx, q.By, q.PathValue("id"))
}

func wireSecret(s vault.Secret) api.Secret {
	return api.Secret{
		ID: s.ID, KeyPath: s.Path, SecretType: string(s.Type), Description: s.Description,
		Namespace: s.Namespace, IsHoneyToken: s.Honey, CreatedAt: api.NewTime(s.Created),
	}
}
