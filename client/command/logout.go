package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func daemonLogout() *cli.Command {
	cmd := &cli.Command{
		Name:  "logout",
		Usage: "end this host's login",
		Description: `Ends the login at the server, with the agent's sessions and tokens, deletes the
session file, and tells the daemon. The agent's key stays, and what was approved
for it. Where the server cannot be told, the login is deleted here all the same,
and the exit status is 1.

Example:
   cortex daemon logout`,
	}
	cmd.Action = logout
	return cmd
}

func logout(ctx context.Context, cmd *cli.Command) error {
	dir := identity.Dir()
	login, err := identity.LoadSession(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = endLogin(ctx, dir, login)
	}
	if _, deleted := identity.DeleteSession(dir); deleted != nil {
		return fmt.Errorf("deleting the session: %w", deleted)
	}
	say(cmd, "deleted %s", identity.SessionPath(dir))
	_, _ = askDaemon(ctx, socketPath(), ipc.CmdReload, reloadTimeout) // it has no login now, and says so
	if err != nil {
		return client.WithHint(fmt.Errorf("the server was not told: %w", err), "an administrator ends the login there: "+removeCommand(login))
	}
	return nil
}

// logoutTimeout is how long the server may take.
const logoutTimeout = 15 * time.Second

// endLogin ends a login at its server. One that the server does not know any more
// has ended.
func endLogin(ctx context.Context, dir string, login identity.Session) error {
	ctx, cancel := context.WithTimeout(ctx, logoutTimeout)
	defer cancel()
	key, err := identity.Load(identity.Path(dir, login.AgentID), login.AgentID)
	if err != nil {
		return err
	}
	defer key.Destroy()
	login, token, err := identity.OpenSession(dir, key)
	if err != nil {
		return err
	}
	defer token.Wipe()
	c, err := client.New(client.Config{URL: login.ServerURL, Pin: login.Pin})
	if err == nil {
		err = logOut(ctx, c, key, login, token)
	}
	if e, ok := errors.AsType[*api.Error](err); ok && (e.Status == http.StatusUnauthorized || errors.Is(e, api.InvalidGrant)) {
		return nil
	}
	return err
}

func logOut(ctx context.Context, c *client.Client, key identity.Key, login identity.Session, token opaque.Bytes) (err error) {
	if login.Proved {
		if token, err = c.AccessToken(ctx, key); err != nil {
			return err
		}
		defer token.Wipe()
	}
	_, err = c.LogOut(ctx, token)
	return err
}

// removeCommand returns what an administrator types to end a login.
func removeCommand(login identity.Session) string {
	if login.AgentID == "" {
		return "cortex device remove AGENT"
	}
	return "cortex device remove " + login.AgentID + " --url " + login.ServerURL
}
