package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// Grants returns what a project may read, newest first: in one namespace, or
// in all if it is empty.
func (c *Client) Grants(ctx context.Context, namespace, project string) ([]api.Grant, error) {
	return admin[[]api.Grant](ctx, c, http.MethodGet, at("/admin/projects/", project, "/grants"), inNamespace(namespace), nil)
}

// CreateGrant lets a project read a secret. The project is the one in namespace,
// where the secret or a share of it must stand; if that is empty, in the
// secret's own. It need not exist yet.
func (c *Client) CreateGrant(ctx context.Context, namespace, project string, in api.CreateGrant) (api.CreatedGrant, error) {
	return admin[api.CreatedGrant](ctx, c, http.MethodPost, at("/admin/projects/", project, "/grants"), inNamespace(namespace), in)
}

// DeleteGrant takes a grant back.
func (c *Client) DeleteGrant(ctx context.Context, project, grantID string) (api.DeletedID, error) {
	return admin[api.DeletedID](ctx, c, http.MethodDelete, at("/admin/projects/", project, "/grants/", grantID), nil, nil)
}

// PendingGrants returns the first accesses that wait, or waited, for a
// decision, newest first.
func (c *Client) PendingGrants(ctx context.Context) ([]api.PendingGrant, error) {
	return admin[[]api.PendingGrant](ctx, c, http.MethodGet, at("/admin/pending-grants"), nil, nil)
}

// ApproveGrant approves a pending grant, or the part of it that in names.
func (c *Client) ApproveGrant(ctx context.Context, id string, in api.ApproveGrant) (api.ApprovedGrant, error) {
	return admin[api.ApprovedGrant](ctx, c, http.MethodPost, at("/admin/pending-grants/", id, "/approve"), nil, in)
}

// DenyGrant denies a pending grant.
func (c *Client) DenyGrant(ctx context.Context, id string) (api.DeniedGrant, error) {
	return admin[api.DeniedGrant](ctx, c, http.MethodPost, at("/admin/pending-grants/", id, "/deny"), nil, nil)
}

// DeletePendingGrant forgets a pending grant and its decision.
func (c *Client) DeletePendingGrant(ctx context.Context, id string) (api.DeletedID, error) {
	return admin[api.DeletedID](ctx, c, http.MethodDelete, at("/admin/pending-grants/", id), nil, nil)
}
