package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
)

// A status is what daemon status shows. Absent members are unknown.
type status struct {
	Running         bool       `json:"running"`
	LoggedIn        bool       `json:"logged_in"`
	ServerURL       string     `json:"server_url,omitempty"`
	AgentID         string     `json:"agent_id,omitempty"`
	ExpiresAt       *time.Time `json:"expires_at,omitempty"` // of the login
	AttestSessionID string     `json:"attest_session_id,omitempty"`
	Sock            string     `json:"sock"`
}

func daemonStatus() *cli.Command {
	var sock string
	var asJSON bool
	cmd := &cli.Command{
		Name:  "status",
		Usage: "show the daemon and this host's login",
		Description: `Asks the daemon, and reads the session file for what it does not say or when
it does not answer. Tokens are never shown.

Examples:
   cortex daemon status
   cortex daemon status --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "sock", Usage: "the daemon's `SOCKET`", DefaultText: "agent.sock in $CORTEX_HOME or ~/.cortex", Sources: cli.EnvVars("CORTEX_DAEMON_SOCK"), Destination: &sock, TakesFile: true},
			jsonFlag(&asJSON),
		},
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error {
		if sock == "" {
			sock = socketPath()
		}
		s, err := readStatus(ctx, sock)
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(cmd.Root().Writer, s)
		}
		return s.print(cmd.Root().Writer)
	}
	return cmd
}

func readStatus(ctx context.Context, sock string) (status, error) {
	s := status{Sock: sock}
	login, err := identity.LoadSession(identity.Dir())
	switch {
	case err == nil:
		expires := login.ExpiresAt()
		s.LoggedIn, s.ServerURL, s.AgentID, s.ExpiresAt = true, login.ServerURL, login.AgentID, &expires
	case !errors.Is(err, fs.ErrNotExist):
		return s, client.WithHint(fmt.Errorf("reading the login: %w", err), "cortex daemon login --agent-id ID --url URL")
	}
	// A daemon that is not there is an answer, not an error.
	if a, err := askDaemon(ctx, sock); err == nil && a.OK {
		s.Running, s.AttestSessionID = true, a.AttestSessionID
		if a.ServerURL != s.ServerURL || a.AgentID != s.AgentID {
			s.ServerURL, s.AgentID, s.ExpiresAt = a.ServerURL, a.AgentID, nil
		}
	}
	return s, nil
}

func (s status) print(w io.Writer) error {
	daemon := "not running (start it: cortex daemon)"
	if s.Running {
		daemon = "running, session " + printableNames([]string{s.AttestSessionID})
	}
	login := "none (cortex daemon login --agent-id ID --url URL)"
	if s.LoggedIn || s.Running {
		login = fmt.Sprintf("agent %s at %s", printableNames([]string{s.AgentID}), printableNames([]string{s.ServerURL}))
	}
	if s.ExpiresAt != nil {
		login += ", until " + s.ExpiresAt.UTC().Format(time.DateTime) + " UTC"
		if s.ExpiresAt.Before(time.Now()) {
			login += " (over: log in again)"
		}
	}
	_, err := fmt.Fprintf(w, "daemon:  %s\nsocket:  %s\nlogin:   %s\n", daemon, s.Sock, login)
	return err
}

// daemonAnswer is the part of the daemon's answer that is shown. Daemons of
// older programs send their access token along: it is not even read.
type daemonAnswer struct {
	OK              bool   `json:"ok"`
	AgentID         string `json:"agent_id"`
	ServerURL       string `json:"server_url"`
	AttestSessionID string `json:"attest_session_id"`
}

// The limits of asking the daemon.
const (
	askTimeout = 2 * time.Second
	maxStatus  = 64 << 10
)

func askDaemon(ctx context.Context, sock string) (daemonAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", sock)
	if err != nil {
		return daemonAnswer{}, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if _, err := io.WriteString(conn, `{"cmd":"status"}`+"\n"); err != nil {
		return daemonAnswer{}, err
	}
	line, err := bufio.NewReader(io.LimitReader(conn, maxStatus)).ReadBytes('\n')
	defer clear(line)
	if err != nil {
		return daemonAnswer{}, err
	}
	var a daemonAnswer
	if err := json.Unmarshal(line, &a); err != nil {
		return daemonAnswer{}, err
	}
	return a, nil
}
