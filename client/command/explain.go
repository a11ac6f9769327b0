package command

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// explainKey says what to do about a key file that cannot be used.
func explainKey(err error, agentID string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return client.WithHint(fmt.Errorf("agent %s has no key here: %w", agentID, err), "make one: cortex gen-key --agent-id "+agentID)
	}
	return fmt.Errorf("reading the key of agent %s: %w", agentID, err)
}

// explainDiscover says why a server refused, and what to do next.
func explainDiscover(err error, c *client.Client, f discoverFlags) error {
	e, ok := errors.AsType[*api.Error](err)
	if !ok {
		return err
	}
	switch {
	case errors.Is(err, api.PendingApproval):
		return explainPending(e, c, f)
	case errors.Is(err, api.GrantDenied):
		return client.WithHint(fmt.Errorf("project %s: %w", f.project, err), "an administrator denied this; ask one to delete that decision")
	case e.Status == http.StatusUnauthorized:
		return client.WithHint(
			fmt.Errorf("discover refused: the server takes it from attested daemons only, unless it runs with CORTEX_DISABLE_REQUEST_SIGNING=1, and knows the agent's key: %w", err),
			fmt.Sprintf("cortex daemon login --agent-id %s --url %s; then start cortex daemon, and cortex run --project %s --url %s -- COMMAND", f.agentID, c.URL(), f.project, c.URL()))
	case e.Status == http.StatusConflict:
		return client.WithHint(fmt.Errorf("project %s has an active token: %w", f.project, err), "to replace it, which ends the old one, add --regenerate")
	}
	return fmt.Errorf("discover refused (%d): %w", e.Status, err)
}

func explainPending(e *api.Error, c *client.Client, f discoverFlags) error {
	if e.Details == nil {
		return fmt.Errorf("project %s waits for an administrator's approval: %w", f.project, e)
	}
	err := fmt.Errorf("project %s waits for an administrator's approval of grant %q for %s: %w",
		f.project, e.Details.GrantID, printableNames(e.Details.RequestedKeys), e)
	return client.WithHint(err, approveHint(c.URL(), e.Details.GrantID))
}

// approveHint returns what an administrator types to approve a grant. Both come
// from elsewhere: an id that could play tricks is not repeated, nor is a URL that
// is none.
func approveHint(url, grantID string) string {
	origin, err := client.Origin(url)
	if err != nil || !proof.ValidName(grantID) {
		return "an administrator approves it on the server"
	}
	return "an administrator approves it with: cortex grant approve " + grantID + " --url " + origin
}
