package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// pinPage is how many pins are asked for at a time: each may be long.
const pinPage = 16

// AllPins yields the commands of a project, and what was decided on them, newest
// first. The namespace may be empty where the name stands in one only, or in none.
func (c *Client) AllPins(ctx context.Context, namespace, project string) iter.Seq2[api.Pin, error] {
	return pagesOf[api.Pin](ctx, c, at("/admin/projects/", project, "/pins"), inNamespace(namespace), pinPage)
}

// CreatePin allows commands of a project, which need not exist yet.
func (c *Client) CreatePin(ctx context.Context, namespace, project string, in api.PinRule) (api.Pin, error) {
	return admin[api.Pin](ctx, c, http.MethodPost, at("/admin/projects/", project, "/pins"), inNamespace(namespace), api.CreatePin{Pin: in})
}

// ApprovePin approves a command, and what in adds.
func (c *Client) ApprovePin(ctx context.Context, project, id string, in api.ApprovePin) (api.Pin, error) {
	return admin[api.Pin](ctx, c, http.MethodPost, at("/admin/projects/", project, "/pins/", id, "/approve"), nil, in)
}

// DenyPin refuses a command until its pin is deleted.
func (c *Client) DenyPin(ctx context.Context, project, id string) (api.DeniedGrant, error) {
	return admin[api.DeniedGrant](ctx, c, http.MethodPost, at("/admin/projects/", project, "/pins/", id, "/deny"), nil, nil)
}

// DeletePin forgets a command, and what was decided on it.
func (c *Client) DeletePin(ctx context.Context, project, id string) (api.DeletedID, error) {
	return admin[api.DeletedID](ctx, c, http.MethodDelete, at("/admin/projects/", project, "/pins/", id), nil, nil)
}
