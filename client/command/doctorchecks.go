package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// login looks at the files of this host's login, and returns it, nil if there is
// none that can be used.
func (c *checkup) login() *identity.Session {
	dir := identity.Dir()
	login, err := identity.LoadSession(dir)
	if errors.Is(err, fs.ErrNotExist) {
		c.fail("login", identity.LoginCommand("", ""), "this host is not logged in: %s has no login", dir)
		return nil
	}
	if err == nil {
		login, err = openLogin(dir, login.AgentID)
	}
	if err != nil {
		c.fail("login", identity.LoginCommand("", ""), "the login cannot be used: %v", err)
		return nil
	}
	switch left := time.Until(login.ExpiresAt()); {
	case login.ExpiresIn > 0 && left <= 0:
		c.fail("login", login.LoginCommand(), "agent %s at %s, over since %s", login.AgentID, login.ServerURL, login.ExpiresAt().UTC().Format(time.RFC3339))
	case login.ExpiresIn > 0 && left < 24*time.Hour:
		c.warn("login", login.LoginCommand(), "agent %s at %s ends in %s", login.AgentID, login.ServerURL, duration(left.Round(time.Minute)))
	default:
		c.fine("login", "agent %s at %s", login.AgentID, login.ServerURL)
	}
	c.closed("files", dir)
	return &login
}

// closed looks whether a directory of ours is closed to others. What lies in it
// was read, which refuses files that are not.
func (c *checkup) closed(check, dir string) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		c.fail(check, "", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		c.fail(check, "chmod 700 "+shellQuote(dir), "others may enter %s: its mode is %#o", dir, info.Mode().Perm())
	default:
		c.fine(check, "%s and what lies in it are closed to others", dir)
	}
}

// daemon asks the daemon how it is.
func (c *checkup) daemon(ctx context.Context, sock string, login *identity.Session) {
	a, err := askDaemon(ctx, sock, ipc.CmdStatus, askTimeout)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.fail("daemon", startHint(sock), "no daemon: there is no %s", sock)
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.fail("daemon", "stop it and "+startHint(sock), "the daemon (pid %d) does not answer", a.PID)
		return
	case err != nil:
		c.fail("daemon", startHint(sock), "no daemon answers at %s: %v", sock, err)
		return
	case !a.OK:
		c.warn("daemon", "", "the daemon (pid %d) says: %s", a.PID, a.Error)
		return
	}
	if sock != systemSock { // whose directory is open, and whose mode is what keeps others out
		c.closed("socket", filepath.Dir(sock))
	}
	switch {
	case a.AttestSessionID == "":
		c.fail("daemon", "", "the daemon (pid %d) has no session with the server: %s", a.PID, a.Problem)
	case login != nil && (login.AgentID != a.AgentID || !client.SameServer(login.ServerURL, a.ServerURL)):
		c.fail("daemon", "restart the daemon", "the daemon (pid %d) is agent %s at %s still", a.PID, a.AgentID, a.ServerURL)
	default:
		c.fine("daemon", "pid %d, version %s, in session until %s", a.PID, a.Version, a.ExpiresAt)
	}
	c.hardening(a.Hardening)
}

// hardening tells of the protections that the daemon could not have.
func (c *checkup) hardening(measures []ipc.Measure) {
	missing := 0
	for _, m := range measures {
		if !m.OK {
			missing++
			c.warn("hardening", hardeningFixes[m.Name], "the daemon lacks %q: %s", m.Name, m.Detail)
		}
	}
	if missing == 0 && len(measures) > 0 {
		c.fine("hardening", "the daemon has all of the %d measures there are", len(measures))
	}
}

// hardeningFixes say what to do about a measure that is missing.
var hardeningFixes = map[string]string{
	"swap":              "encrypt it, or switch it off (swapoff -a), or run the daemon with MemorySwapMax=0",
	"core dumps":        "take away what limits the daemon (ulimit -c), and restart it",
	"environment":       "unset these variables where the daemon is started, and restart it",
	"no new privileges": "use the released program: it is built without cgo",
}

// The clocks of this host and the server may differ by so much.
const (
	skewTold  = 5 * time.Second
	skewFatal = 300 * time.Second
)

// server looks for the server, as the login knows it.
func (c *checkup) server(ctx context.Context, url string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := connect(url, "", opaque.Bytes{})
	if err != nil {
		c.fail("server", client.Hint(err), "%v", err)
		return
	}
	before := time.Now()
	h, clock, err := s.Health(ctx)
	switch {
	case err != nil:
		c.fail("server", client.Hint(err), "%v", err)
		return
	case h.Status != "ok":
		c.fail("server", "its operator unseals it, or looks at its log", "%s says that it is %s", url, h.Status)
	default:
		c.fine("server", "%s is well", url)
	}
	c.known(s, url)
	c.clock(clock, before, time.Now())
}

// known says by what the server is known.
func (c *checkup) known(s *client.Client, url string) {
	switch pin := s.Pin(); {
	case pin != nil:
		c.fine("pin", "the server has the key that is known: %s", pin.Key)
	case strings.HasPrefix(url, "https:"):
		c.warn("pin", "log in again, which keeps the server's key", "the server is known by nothing but its certificate")
	}
}

// clock compares the server's clock, in whole seconds, with this host's.
func (c *checkup) clock(there, before, after time.Time) {
	if there.IsZero() {
		return // a proxy between keeps it
	}
	var off time.Duration
	switch {
	case there.Add(time.Second).Before(before):
		off = before.Sub(there.Add(time.Second))
	case there.After(after):
		off = there.Sub(after)
	}
	off = off.Round(time.Second)
	const fix = "set the clock: timedatectl set-ntp true"
	switch {
	case off >= skewFatal:
		c.fail("clock", fix, "this host and the server are %s apart: the server refuses what is signed here", off)
	case off >= skewTold:
		c.warn("clock", fix, "this host and the server are %s apart", off)
	default:
		c.fine("clock", "this host and the server agree on the time")
	}
}

// directory looks for values that lie open here.
func (c *checkup) directory(ctx context.Context) {
	entries, found, err := wantedNames(ctx, "")
	if err != nil {
		c.warn("names", client.Hint(err), "%v", err)
		return
	}
	var open []string
	for _, e := range entries {
		if !e.Blank {
			open = append(open, e.Name)
		}
	}
	switch {
	case len(open) > 0:
		c.warn("names", "cortex secret import, and then leave NAME= in the file",
			"the .env file here has values for %s, for every program here to read", someOf(open))
	case found:
		c.fine("names", "the .env file here has names, and no values")
	}
	if _, err := countingFile(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.warn("project file", "read it, and if it says what you want: cortex allow", "%v", err)
	}
}

// someOf names the first of many.
func someOf(names []string) string {
	const few = 5
	if len(names) <= few {
		return printableNames(names)
	}
	return fmt.Sprintf("%s and %d more", printableNames(names[:few]), len(names)-few)
}

// environment looks for credentials of an administrator where programs of agents
// are started.
func (c *checkup) environment() {
	var found []string
	for _, name := range []string{"ADMIN_TOKEN", "CORTEX_KEK_PASSWORD", "CORTEX_METRICS_TOKEN"} {
		if os.Getenv(name) != "" {
			found = append(found, name)
		}
	}
	if len(found) > 0 {
		c.warn("environment", "unset "+strings.Join(found, " ")+", here and where agents are started", "every program that is started here can read %s", strings.Join(found, " and "))
		return
	}
	c.fine("environment", "no credential of an administrator is in it")
}
