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

// A loggedOut is what logout has done.
type loggedOut struct {
	ServerURL   string `json:"server_url,omitempty"` // of the login that there was
	AgentID     string `json:"agent_id,omitempty"`
	SessionFile string `json:"session_file"`
	Deleted     bool   `json:"deleted"`     // there was a login
	ServerTold  bool   `json:"server_told"` // it has ended there, too
	DaemonTold  bool   `json:"daemon_told"` // one that runs has heard of it
}

func daemonLogout() *cli.Command {
	var sock string
	var asJSON bool
	cmd := &cli.Command{
		Name:  "logout",
		Usage: "end this host's login",
		Description: `Ends the login at the server, with the agent's sessions and tokens, deletes the
session file, and tells the daemon. The agent's key stays, and what was approved
for it. Where the server cannot be told, the login is deleted here all the same,
and the exit status is 1.

Examples:
   cortex daemon logout
   cortex daemon logout --json`,
		Flags: []cli.Flag{sockFlag(&sock), jsonFlag(&asJSON)},
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error {
		done, err := logout(ctx, cmd, daemonSock(cmd, sock))
		if asJSON {
			err = errors.Join(err, writeJSON(cmd.Root().Writer, done))
		}
		return err
	}
	return cmd
}

func logout(ctx context.Context, cmd *cli.Command, sock string) (done loggedOut, err error) {
	dir := identity.Dir()
	done.SessionFile = identity.SessionPath(dir)
	login, err := identity.LoadSession(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return done, nil
	}
	done.ServerURL, done.AgentID = login.ServerURL, login.AgentID
	if err == nil {
		err = endLogin(ctx, dir, login)
	}
	done.ServerTold = err == nil
	if _, deleted := identity.DeleteSession(dir); deleted != nil {
		return done, fmt.Errorf("deleting the session: %w", deleted)
	}
	done.Deleted = true
	say(cmd, "deleted %s", done.SessionFile)
	_, unheard := askDaemon(ctx, sock, ipc.CmdReload, reloadTimeout) // it has no login now, and says so
	done.DaemonTold = unheard == nil
	if err != nil {
		return done, client.WithHint(fmt.Errorf("the server was not told: %w", err), "an administrator ends the login there: "+removeCommand(login))
	}
	return done, nil
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
