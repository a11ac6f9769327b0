package command

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/peer"
)

// A status is what daemon status shows. Absent members are unknown.
type status struct {
	Running         bool       `json:"running"`
	LoggedIn        bool       `json:"logged_in"`
	ServerURL       string     `json:"server_url,omitempty"`
	AgentID         string     `json:"agent_id,omitempty"`
	Proved          bool       `json:"proved"`               // the login is by a proof of the agent's key
	ExpiresAt       *time.Time `json:"expires_at,omitempty"` // of another login
	AttestSessionID string     `json:"attest_session_id,omitempty"`
	Sock            string     `json:"sock"`
	// Silent is true for a daemon that runs and does not say how it is: Problem
	// is why.
	Silent bool `json:"silent,omitempty"`

	// What follows is of a daemon that runs and says so: older ones do not.

	SessionExpiresAt string        `json:"session_expires_at,omitempty"`
	Problem          string        `json:"problem,omitempty"` // why there is no session, or no other one
	Hint             string        `json:"hint,omitempty"`    // what to do about it
	Server           *ipc.Server   `json:"server,omitempty"`
	PID              int           `json:"pid,omitempty"`
	Version          string        `json:"version,omitempty"`
	Runs             *int          `json:"runs,omitempty"` // programs running now
	Projects         []ipc.Project `json:"projects,omitempty"`
	AwaySince        string        `json:"away_since,omitempty"` // since when the server is
	Held             []ipc.Held    `json:"held,omitempty"`       // for when it is
	Journal          *int          `json:"journal,omitempty"`    // uses of that it was not told of
	Failures         []ipc.Failure `json:"failures,omitempty"`   // the newest first
	Hardening        []ipc.Measure `json:"hardening,omitempty"`
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
			sockFlag(&sock),
			jsonFlag(&asJSON),
		},
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error {
		s, err := readStatus(ctx, daemonSock(cmd, sock))
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
		s.LoggedIn, s.ServerURL, s.AgentID, s.Proved = true, login.ServerURL, login.AgentID, login.Proved
		if !login.Proved {
			s.ExpiresAt = new(login.ExpiresAt())
		}
	case !errors.Is(err, fs.ErrNotExist):
		return s, client.WithHint(fmt.Errorf("reading the login: %w", err), identity.LoginCommand("", ""))
	}
	// A daemon that is not there is an answer, not an error.
	a, err := askDaemon(ctx, sock, ipc.CmdStatus, askTimeout)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), err == nil && a.ErrorCode == ipc.Busy:
		s.Running, s.Silent, s.PID, s.Problem = true, true, a.PID, cmp.Or(a.Error, "the daemon runs, but does not answer: it hangs, or was stopped")
	case err == nil && a.OK:
		s.Running, s.AttestSessionID = true, a.AttestSessionID
		s.SessionExpiresAt, s.Problem, s.PID, s.Version = a.ExpiresAt, a.Problem, a.PID, a.Version
		s.Hint, s.Server = a.Hint, a.Server
		s.Runs, s.Projects, s.Failures, s.Hardening = a.Runs, a.Projects, a.Failures, a.Hardening
		s.AwaySince, s.Held, s.Journal = a.AwaySince, a.Held, a.Journal
		if a.foreign {
			s.LoggedIn, s.ServerURL, s.AgentID, s.ExpiresAt = a.Session != nil, a.ServerURL, a.AgentID, nil
			s.Proved = a.Session != nil && a.Session.Proved
		} else if a.AgentID != "" && (a.ServerURL != s.ServerURL || a.AgentID != s.AgentID) {
			s.ServerURL, s.AgentID, s.Proved, s.ExpiresAt = a.ServerURL, a.AgentID, false, nil
		}
	}
	return s, nil
}

func (s status) print(w io.Writer) error {
	var text strings.Builder
	line := func(label, value string) { fmt.Fprintf(&text, "%-11s%s\n", label+":", value) }
	line("daemon", s.daemon())
	line("socket", s.Sock)
	line("login", s.login())
	if s.Problem != "" {
		line("problem", printable(s.Problem))
	}
	if s.Hint != "" {
		line("hint", printable(s.Hint))
	}
	if s.Runs != nil {
		line("programs", fmt.Sprintf("%d running", *s.Runs))
	}
	for _, p := range s.Projects {
		line("project", s.project(p))
	}
	if s.AwaySince != "" {
		line("server", "away since "+printable(s.AwaySince))
	}
	for _, h := range s.Held {
		line("held", printable(h.Project)+", until "+printable(h.Until))
	}
	if s.Journal != nil && *s.Journal > 0 {
		line("journal", fmt.Sprintf("%d uses that the server was not told of yet", *s.Journal))
	}
	for _, f := range s.Failures {
		line("failure", printable(f.At)+" "+printable(f.Error))
	}
	if len(s.Hardening) > 0 {
		line("hardening", s.hardening())
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (s status) daemon() string {
	if !s.Running {
		return "not running (" + startHint(s.Sock) + ")"
	}
	text := "running"
	if s.Silent && s.PID != 0 {
		return fmt.Sprintf("running (pid %d), but does not say how it is", s.PID)
	}
	if s.Silent {
		return text + ", but does not say how it is"
	}
	if s.Version != "" {
		text += fmt.Sprintf(" (pid %d, version %s)", s.PID, printable(s.Version))
	}
	if s.AttestSessionID == "" {
		return text + ", no session with the server"
	}
	text += ", session " + printable(s.AttestSessionID)
	if s.SessionExpiresAt != "" {
		text += " until " + printable(s.SessionExpiresAt)
	}
	return text
}

func (s status) login() string {
	if s.AgentID == "" {
		return "none (" + identity.LoginCommand("", "") + ")"
	}
	text := fmt.Sprintf("agent %s at %s", printable(s.AgentID), printable(s.ServerURL))
	if !s.LoggedIn {
		return text + ", deleted here; the daemon keeps it until it stops"
	}
	if s.Proved {
		text += ", with a proof of its key"
	}
	if s.ExpiresAt != nil {
		text += ", until " + s.ExpiresAt.UTC().Format(time.RFC3339)
		if s.ExpiresAt.Before(time.Now()) {
			text += " (over: log in again)"
		}
	}
	return text
}

// project says how things stand with one.
func (s status) project(p ipc.Project) string {
	text := printable(p.Name)
	if p.ExpiresAt != "" {
		text += ", token until " + printable(p.ExpiresAt)
	}
	if p.GrantID != "" {
		text += ", waits for approval: cortex grant approve " + printable(p.GrantID)
	}
	return text
}

// hardening names the protections that are had, and says of each that is not
// why.
func (s status) hardening() string {
	var had, missing []string
	for _, m := range s.Hardening {
		if m.OK {
			had = append(had, printable(m.Name))
		} else {
			missing = append(missing, fmt.Sprintf("%s (%s)", printable(m.Name), printable(m.Detail)))
		}
	}
	text := strings.Join(had, ", ")
	if len(missing) > 0 {
		text += "; MISSING: " + strings.Join(missing, ", ")
	}
	return text
}

// daemonAnswer is the part of the daemon's answer that is shown. Daemons of
// older programs send their access token along: it is not even read.
type daemonAnswer struct {
	foreign bool // the daemon is another user's

	Session         *ipc.Login    `json:"session"`
	OK              bool          `json:"ok"`
	AgentID         string        `json:"agent_id"`
	ServerURL       string        `json:"server_url"`
	AttestSessionID string        `json:"attest_session_id"`
	ExpiresAt       string        `json:"expires_at"`
	Problem         string        `json:"problem"`
	PID             int           `json:"pid"`
	Version         string        `json:"version"`
	Runs            *int          `json:"runs"`
	Projects        []ipc.Project `json:"projects"`
	AwaySince       string        `json:"away_since"`
	Held            []ipc.Held    `json:"held"`
	Journal         *int          `json:"journal"`
	Failures        []ipc.Failure `json:"failures"`
	Hardening       []ipc.Measure `json:"hardening"`
	Error           string        `json:"error"`
	Hint            string        `json:"hint"`
	Server          *ipc.Server   `json:"server"`
	ErrorCode       string        `json:"error_code"`
}

// The limits of asking the daemon.
const (
	askTimeout = 2 * time.Second
	maxStatus  = 1 << 20
)

// askDaemon asks the daemon one thing. Of one that does not answer, the answer has
// the process.
func askDaemon(ctx context.Context, sock, what string, patience time.Duration) (a daemonAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", sock)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	a.PID, a.foreign = servedBy(conn)
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	line, err := ipc.Line(ipc.Request{Cmd: what})
	if err != nil {
		return a, err
	}
	if _, err := conn.Write(line); err != nil && !errors.Is(err, unix.EPIPE) {
		return a, err // one that is busy says so before it is asked
	}
	line, err = bufio.NewReader(io.LimitReader(conn, maxStatus)).ReadBytes('\n')
	defer clear(line)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(line, &a)
}

// servedBy returns the process that serves a socket, 0 if nobody can tell, and whether it is
// another user's.
func servedBy(conn net.Conn) (pid int, foreign bool) {
	p, err := peer.Of(conn.(*net.UnixConn))
	if err != nil {
		return 0, false
	}
	defer p.Close()
	return p.PID, p.UID != os.Geteuid()
}
