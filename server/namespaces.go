package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listNamespaces(ctx context.Context, q *request) ([]api.Namespace, error) {
	return pagedBy(s, q, 0,
		func() ([]vault.Namespace, error) { return s.vault.Namespaces(ctx, q.By) },
		func(p vault.Page) ([]vault.Namespace, string, error) { return s.vault.NamespacesPage(ctx, q.By, p) },
		wireNamespace)
}

func (s *Server) createNamespace(ctx context.Context, c call[api.CreateNamespace]) (api.CreatedNamespace, error) {
	n, err := s.vault.CreateNamespace(ctx, c.By, c.In.Name, c.In.Description)
	return api.CreatedNamespace{Name: n.Name, Description: n.Description}, err
}

func (s *Server) deleteNamespace(ctx context.Context, q *request) (api.DeletedNamespace, error) {
	name := q.PathValue("name")
	return api.DeletedNamespace{Deleted: true, Name: name}, s.vault.DeleteNamespace(ctx, q.By, name)
}

func wireNamespace(n vault.Namespace) api.Namespace {
	return api.Namespace{Name: n.Name, Description: n.Description, CreatedAt: api.NewTime(n.Created)}
}
