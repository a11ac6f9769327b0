package command

import (
	"cmp"
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
	"github.com/cortex-auth/cortex/client/install"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/harden"
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
		c.fail(check, "see whether it is there and yours: ls -ld "+shellQuote(dir), "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		c.fail(check, "chmod 700 "+shellQuote(dir), "others may enter %s: its mode is %#o", dir, info.Mode().Perm())
	default:
		c.fine(check, "%s and what lies in it are closed to others", dir)
	}
}

// daemon asks the daemon how it is, and returns its answer, one without OK if there
// is none.
func (c *checkup) daemon(ctx context.Context, sock string, login *identity.Session) daemonAnswer {
	a, err := askDaemon(ctx, sock, ipc.CmdStatus, askTimeout)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.fail("daemon", startHint(sock), "no daemon: there is no %s", sock)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.fail("daemon", "stop it and "+startHint(sock), "the daemon (pid %d) does not answer", a.PID)
	case errors.Is(err, fs.ErrPermission):
		c.fail("daemon", "have root add you to its group, and log in again: usermod --append --groups cortex USER", "this user may not ask the daemon at %s", sock)
	case err != nil:
		c.fail("daemon", startHint(sock), "no daemon answers at %s: %v", sock, err)
	case !a.OK:
		c.warn("daemon", cmp.Or(a.Hint, "try again when some of what it does has ended"), "the daemon (pid %d) says: %s", a.PID, a.Error)
	}
	if err != nil || !a.OK {
		return daemonAnswer{}
	}
	if sock != systemSock { // whose directory is open, and whose mode is what keeps others out
		c.closed("socket", filepath.Dir(sock))
	}
	c.session(a, sock, login)
	return a
}

// session tells how the daemon stands with the server.
func (c *checkup) session(a daemonAnswer, sock string, login *identity.Session) {
	fix := cmp.Or(a.Hint, "see what the daemon says: its log, and cortex daemon status")
	switch {
	case a.AttestSessionID == "":
		c.fail("daemon", fix, "the daemon (pid %d) has no session with the server: %s", a.PID, cmp.Or(a.Problem, "it has just been started"))
	case a.Problem != "":
		c.fail("daemon", fix, "the daemon (pid %d) is in session until %s, and gets no other one: %s", a.PID, a.ExpiresAt, a.Problem)
	case login != nil && (login.AgentID != a.AgentID || !client.SameServer(login.ServerURL, a.ServerURL)):
		c.fail("daemon", "stop it and "+startHint(sock), "the daemon (pid %d) is agent %s at %s still", a.PID, a.AgentID, a.ServerURL)
	default:
		c.fine("daemon", "pid %d, version %s, in session until %s", a.PID, a.Version, a.ExpiresAt)
	}
}

// hardening tells of the protections that the daemon could not have.
func (c *checkup) hardening(measures []ipc.Measure) {
	missing := 0
	for _, m := range measures {
		if !m.OK {
			missing++
			c.warn("hardening", cmp.Or(hardeningFixes[m.Name], "see what the daemon says: its log, and cortex daemon status"), "the daemon lacks %q: %s", m.Name, m.Detail)
		}
	}
	if missing == 0 && len(measures) > 0 {
		c.fine("hardening", "the daemon has all of the %d measures there are", len(measures))
	}
}

// memory looks at what a daemon that is started here would get, where there is none.
func (c *checkup) memory() {
	if m := harden.Memory(); m.OK {
		c.fine("memory", "what is started here can lock memory for keys")
	} else {
		c.warn("memory", hardeningFixes[m.Name], "what is started here cannot lock memory for keys: %s", m.Detail)
	}
}

// filtered is what to do about a system call that is refused.
const filtered = "let the daemon use prctl: take away the seccomp filter or the container's profile that forbids it, and restart it"

// hardeningFixes say what to do about a measure that is missing.
var hardeningFixes = map[string]string{
	"swap":              "encrypt it, or switch it off (swapoff -a), or run the daemon with MemorySwapMax=0",
	"core dumps":        "take away what limits the daemon (ulimit -c), and restart it",
	"environment":       "unset these variables where the daemon is started, and restart it",
	"no new privileges": "use the released program, which is built without cgo; or " + filtered,
	"not dumpable":      filtered,
	"not traceable":     "start the daemon without a debugger, as launchd does",
	"monitors":          filtered,
	"umask":             "restart the daemon",
	"locked memory":     "raise the limit where the daemon is started, and restart it: LimitMEMLOCK=1M in its unit, or ulimit -l 1024",
}

// unit looks at the service that keeps the daemon running.
func (c *checkup) unit(ctx context.Context, isolated bool) {
	defects, err := install.Inspect(ctx, isolated)
	fix, run, ask := "cortex install daemon --personal", "have whatever supervises this host run: cortex daemon", "systemctl --user status cortex-daemon"
	if isolated {
		fix, run, ask = "sudo cortex install daemon --isolated", "have root let whatever supervises this host start what this shows: cortex install daemon --isolated --print", "systemctl status cortex-daemon"
	}
	switch {
	case errors.Is(err, install.ErrAbsent):
		c.warn("unit", fix, "the daemon is no service: nothing starts it again when it ends, or at the next login")
	case errors.Is(err, install.ErrNoManager):
		c.warn("unit", run, "nothing starts the daemon again when it ends: %v", err)
	case err != nil:
		c.warn("unit", "ask the service manager yourself: "+ask, "%v", err)
	case len(defects) == 0:
		c.fine("unit", "%s keeps the daemon running", install.Service)
	}
	for _, d := range defects {
		c.fail("unit", d.Fix, "%s", d.What)
	}
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
	const look = "check that the server runs, and its address: cortex daemon status"
	s, err := connect(url, "", opaque.Bytes{})
	if err != nil {
		c.fail("server", cmp.Or(client.Hint(err), look), "%v", err)
		return
	}
	before := time.Now()
	h, clock, err := s.Health(ctx)
	switch {
	case err != nil:
		c.fail("server", cmp.Or(client.Hint(err), look), "%v", err)
		return
	case h.Status != "ok":
		c.fail("server", "its operator unseals it, or looks at its log", "%s says that it is %s", url, h.Status)
	default:
		c.fine("server", "%s is well", url)
	}
	key := ""
	if p := s.Pin(); p != nil {
		key = p.Key.String()
	}
	c.known(key, url)
	if !clock.IsZero() { // else a proxy between keeps it
		c.clock(client.ClockOff(clock, before, time.Now()))
	}
}

// silence is how long a server may say nothing to a daemon that listens to it.
const silence = time.Minute

// heard tells what the daemon knows of the server, for who has no login here to ask by.
func (c *checkup) heard(a daemonAnswer) {
	if a.Server == nil {
		return // an older daemon, or one without a login
	}
	const look = "check that the server runs, and that this host reaches it"
	at, err := time.Parse(time.RFC3339, a.Server.Heard)
	switch ago := time.Since(at).Round(time.Second); {
	case err != nil:
		c.fail("server", look, "the daemon has heard nothing of %s", a.ServerURL)
	case ago > silence:
		c.warn("server", look, "the daemon has heard nothing of %s since %s", a.ServerURL, a.Server.Heard)
	default:
		c.fine("server", "the daemon heard %s %s ago", a.ServerURL, ago)
	}
	c.known(a.Server.Key, a.ServerURL)
	if off := a.Server.ClockOff; off != nil {
		c.clock(time.Duration(*off) * time.Second)
	}
}

// known says by what the server is known.
func (c *checkup) known(key, url string) {
	switch {
	case key != "":
		c.fine("pin", "the server has the key that is known: %s", key)
	case strings.HasPrefix(url, "https:"):
		c.warn("pin", "log in again, which keeps the server's key: "+identity.LoginCommand("", url), "the server is known by nothing but its certificate")
	}
}

// clock judges by how much the server's clock is ahead of this host's.
func (c *checkup) clock(off time.Duration) {
	off = off.Abs()
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
		c.warn("names", cmp.Or(client.Hint(err), "write each line as NAME= or NAME=value"), "%v", err)
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
