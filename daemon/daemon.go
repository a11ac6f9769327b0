// Package daemon is the agent host's side of cortex: it holds the agent's key
// and a session with the server, and starts programs with the secrets of a
// project in their environment.
//
// It offers actions, never values: the socket's verbs are status, reload, run
// and redact, in package ipc, and no verb answers with a secret or a token. Keys for
// SSH do not even come here: ssh.go has the vault sign. Values
// are in the daemon's memory between their arrival and the program's start, and
// in that of the program's monitor, which masks them, until its end.
//
// Follow a run through the package: listen.go has the socket, conn.go reads a
// request and its descriptors, run.go carries it out, and start.go has the program
// started: token.go has the project's token and gift.go what that opens, enrolment.go
// and session.go who the daemon is for the server, without which that gives none,
// caller.go says on whose behalf, and package spawn starts the program.
package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/drop"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// A Daemon is the daemon of a host. It is whoever the login says.
type Daemon struct {
	cfg      Config
	log      *slog.Logger
	hash     string // of this program
	hostname string
	began    time.Time
	hashes   hashes
	failures failures

	mu      sync.Mutex     // guards now
	now     *enrolment     // nil without a login
	retired sync.WaitGroup // enrolments before it that are in use

	starter *spawn.Starter // while it runs
	running atomic.Int64   // programs
	bin     drop.Bin       // what clients have sent, once it is not needed
	seats   *seats         // of programs that are other users'
}

// New returns a Daemon for the login in the state directory, which may be yet to
// come. The process must have been hardened before.
func New(cfg Config) (*Daemon, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d := &Daemon{cfg: cfg, log: cfg.log(), began: time.Now(), seats: newSeats(len(cfg.Spawners))}
	var err error
	if d.hash, err = ownHash(); err != nil {
		return nil, fmt.Errorf("hashing this program: %w", err)
	}
	if d.hostname, err = os.Hostname(); err != nil {
		d.log.Warn("this host has no name", "err", err)
	}
	return d, nil
}

func ownHash() (string, error) {
	f, err := openSelf()
	if err != nil {
		return "", err
	}
	defer f.Close()
	return hashOf(f)
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Close wipes the keys and the tokens.
func (d *Daemon) Close() {
	d.mu.Lock()
	d.retire()
	d.mu.Unlock()
	d.retired.Wait()
}

// firstAttest is how long the server may take before the daemon says that it
// is ready all the same.
const firstAttest = 10 * time.Second

// Run serves the socket until outer ends; then it kills what runs and removes
// the socket. It fails if the socket cannot be had. A login is waited for, and so
// is a server that cannot be reached, or refuses it.
func (d *Daemon) Run(outer context.Context) error {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(outer))
	defer stop(errStopped)
	defer context.AfterFunc(outer, func() { stop(errStopped) })()
	if err := shut(d.cfg.dir()); err != nil {
		return err
	}
	l, err := listen(d.cfg.sock(), d.cfg.Group)
	if err != nil {
		return err
	}
	defer l.Close()
	os.RemoveAll(d.cfg.agentsDir()) // of a daemon that was killed
	defer os.RemoveAll(d.cfg.agentsDir())
	// Not before the socket is ours: a session ends those before it.
	d.attestFirst(ctx)
	d.starter = d.newStarter()
	defer d.starter.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop(errStopped)
	wg.Go(func() { d.keep(ctx) })
	d.log.Info("ready", "sock", d.cfg.sock())
	notify("READY=1\nX_CORTEX_SOCK=" + d.cfg.sock())
	defer notify("STOPPING=1")
	return d.serve(ctx, l)
}

func (d *Daemon) newStarter() *spawn.Starter {
	if len(d.cfg.Spawners) > 0 {
		return spawn.NewRemoteStarter(d.cfg.Spawners...)
	}
	return spawn.NewStarter(d.cfg.Adopt)
}

func (d *Daemon) attestFirst(ctx context.Context) {
	attempt, cancel := context.WithTimeout(ctx, firstAttest)
	defer cancel()
	e, release, err := d.enrolled()
	if err == nil {
		defer release()
		d.log.Info("logged in", "server", e.client.URL(), "agent", e.key.AgentID)
		_, err = e.sessions.current(attempt)
	}
	if err != nil {
		d.log.Warn("no session with the server yet", "err", err, "hint", client.Hint(err))
	}
}

// notify tells whoever supervises the daemon, if anybody does.
func notify(state string) {
	daemon.SdNotify(false, state)
}
