// Package daemon is the agent host's side of cortex: it holds the agent's key
// and a session with the server, and starts programs with the secrets of a
// project in their environment.
//
// It offers actions, never values: the socket's verbs are status, run and
// redact, in package ipc, and no verb answers with a secret or a token. Values
// are in the daemon's memory between their arrival and the program's start, and
// in that of the program's monitor, which masks them, until its end.
//
// Follow a run through the package: listen.go has the socket, conn.go reads a
// request and its descriptors, run.go carries it out: project.go has the
// project's token, session.go the session without which the server gives
// none, caller.go says on whose behalf, and package spawn starts the program.
package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A Daemon is the daemon of one agent on one host.
type Daemon struct {
	cfg      Config
	log      *slog.Logger
	client   *client.Client
	key      identity.Key
	sessions *sessions
	projects projects
	hashes   hashes
	hostname string

	starter *spawn.Starter // while it runs
	running atomic.Int64   // programs
}

// New loads the login and the agent's key. The process must have been hardened
// before. Without a login the error's hint is what to type.
func New(cfg Config) (*Daemon, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	login, err := identity.LoadSession(cfg.dir())
	if err != nil {
		return nil, explainLogin(err, identity.Session{})
	}
	path := identity.Path(cfg.dir(), login.AgentID)
	key, err := identity.Load(path, login.AgentID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, client.WithHint(fmt.Errorf("the key of agent %s is not in %s", login.AgentID, path), loginCommand(login))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key of agent %s: %w", login.AgentID, err)
	}
	d := &Daemon{cfg: cfg, log: cfg.log(), key: key}
	if d.client, err = d.connect(login); err != nil {
		key.Destroy()
		return nil, err
	}
	if d.hostname, err = os.Hostname(); err != nil {
		d.log.Warn("this host has no name", "err", err)
	}
	if err := d.prepare(login); err != nil {
		key.Destroy()
		return nil, err
	}
	return d, nil
}

// connect returns a client of the server, known by what the login says of it. That
// is read again with the seal opened: what somebody wrote into the file does not
// count.
func (d *Daemon) connect(login identity.Session) (*client.Client, error) {
	sealed, token, err := identity.OpenSession(d.cfg.dir(), d.key)
	token.Wipe()
	if err != nil {
		return nil, explainLogin(err, login)
	}
	return client.New(client.Config{URL: sealed.ServerURL, HTTP: d.cfg.HTTP, Pin: sealed.Pin, Moved: d.moved})
}

// moved keeps what the server is known by from now on.
func (d *Daemon) moved(next pin.Pin) {
	d.log.Info("the server has another key, and its vault vouches for it", "fingerprint", next.Key)
	if err := identity.MovePin(d.cfg.dir(), d.key, next); err != nil {
		d.log.Warn("the server's key is not kept, and will be asked for again", "err", err)
	}
}

// prepare makes the key pair of this process and what it is attested with.
func (d *Daemon) prepare(login identity.Session) error {
	hash, err := ownHash()
	if err != nil {
		return fmt.Errorf("hashing this program: %w", err)
	}
	signer, err := locked.GenerateSigner()
	if err != nil {
		return fmt.Errorf("making the attestation key: %w", err)
	}
	pid, uid := int64(os.Getpid()), int64(os.Getuid())
	d.sessions = newSessions(d.client, d.cfg.dir(), d.key, signer, d.log)
	d.sessions.login = login
	d.sessions.request = api.AttestRequest{
		AttestationPub: proof.EncodeKey(signer.Public()), BinarySHA256: hash,
		DaemonVersion: &d.cfg.Version, DaemonPID: &pid, DaemonUID: &uid, Hostname: &d.hostname,
		BootID: new(bootID()), StartedAt: new(time.Now().Unix()),
	}
	return nil
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
	d.projects.wipe()
	d.sessions.signer.Destroy()
	d.key.Destroy()
}

// firstAttest is how long the server may take before the daemon says that it
// is ready all the same.
const firstAttest = 10 * time.Second

// Run serves the socket until outer ends; then it kills what runs and removes
// the socket. It fails if the socket cannot be had, and if the server refuses
// the login; a server that cannot be reached is asked again.
func (d *Daemon) Run(outer context.Context) error {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(outer))
	defer stop(errStopped)
	defer context.AfterFunc(outer, func() { stop(errStopped) })()
	l, err := listen(d.cfg.sock())
	if err != nil {
		return err
	}
	defer l.Close()
	// Not before the socket is ours: a session ends those before it.
	if err := d.attestFirst(ctx); err != nil {
		return err
	}
	d.starter = spawn.NewStarter(d.cfg.Adopt)
	defer d.starter.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop(errStopped)
	wg.Go(func() { d.sessions.keep(ctx) })
	d.log.Info("ready", "sock", d.cfg.sock(), "server", d.client.URL(), "agent", d.key.AgentID)
	notify("READY=1\nX_CORTEX_SOCK=" + d.cfg.sock())
	defer notify("STOPPING=1")
	return d.serve(ctx, l)
}

func (d *Daemon) attestFirst(ctx context.Context) error {
	attempt, cancel := context.WithTimeout(ctx, firstAttest)
	defer cancel()
	_, err := d.sessions.current(attempt)
	if _, ok := errors.AsType[refusal](err); ok {
		return err
	}
	if err != nil {
		d.log.Warn("no session with the server yet", "err", err)
	}
	return nil
}

// notify tells whoever supervises the daemon, if anybody does.
func notify(state string) {
	daemon.SdNotify(false, state)
}
