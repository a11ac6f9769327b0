package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
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

// A PendingList is a list of pending grants.
type PendingList struct {
	// Changed tells that Grants is not the list the caller has.
	Changed bool
	Grants  []api.PendingGrant
	// Version stands for the list; two lists of one version are the same.
	Version string
}

// WaitPending returns the pending grants as soon as they are not those of
// version, or at the end of wait. Without a version it waits for any change,
// and returns the list in each case.
func (c *Client) WaitPending(ctx context.Context, version string, wait time.Duration) (PendingList, error) {
	r, err := c.adminRequest(http.MethodGet, at("/admin/pending-grants"), waiting(wait), nil)
	if err != nil {
		return PendingList{}, err
	}
	r.wait = wait
	if version != "" {
		r.header.Set("If-None-Match", version)
	}
	a, err := c.send(ctx, r)
	if err != nil {
		return PendingList{}, err
	}
	switch a.status {
	case http.StatusOK:
	case http.StatusNotModified:
		return PendingList{Version: version}, nil
	default:
		return PendingList{}, a.problem(c.base)
	}
	list := PendingList{Changed: true, Version: a.header.Get("ETag")}
	if err := json.Unmarshal(a.body, &list.Grants); err != nil {
		return PendingList{}, fmt.Errorf("%w: %s", ErrAnswer, jsonProblem(err))
	}
	return list, nil
}

// waiting is the query of a route that can wait.
func waiting(d time.Duration) url.Values {
	if d <= 0 {
		return nil
	}
	return url.Values{"wait": {d.String()}}
}

// PendingGrant returns what became of a request of the agent that by attests
// for, as soon as it is decided, or after wait. A request that is gone fails
// with [api.NotFound]: the agent should discover again.
func (c *Client) PendingGrant(ctx context.Context, agentID, id string, by Attester, wait time.Duration) (api.GrantStatus, error) {
	r := request{method: http.MethodGet, path: at("/agent/pending-grants/", id), query: waiting(wait), header: http.Header{}, wait: wait}
	if err := attest(by, &r, proof.AgentTokenID(agentID)); err != nil {
		return api.GrantStatus{}, err
	}
	return call[api.GrantStatus](ctx, c, r)
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
