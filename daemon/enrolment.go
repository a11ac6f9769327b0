package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/proof"
)

// An enrolment is what a login makes of the daemon: an agent, known to a server.
type enrolment struct {
	*Daemon
	client   *client.Client
	key      identity.Key
	sessions *sessions
	projects projects
	outage   outage
	holds    holds
	book     *book

	uses sync.WaitGroup // what needs the above
	over chan struct{}  // closed when another login takes its place, or none
}

// enrolled returns the enrolment that the login makes, and a function to call when
// it is not needed any more. Without a login the error's hint is what to type.
func (d *Daemon) enrolled() (e *enrolment, release func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil {
		if d.now, err = d.enrol(); err != nil {
			return nil, nil, err
		}
	}
	d.now.uses.Add(1)
	return d.now, d.now.uses.Done, nil
}

// enrol loads the login and the agent's key.
func (d *Daemon) enrol() (*enrolment, error) {
	login, err := identity.LoadSession(d.cfg.dir())
	if err != nil {
		return nil, explainLogin(err, identity.Session{})
	}
	path := identity.Path(d.cfg.dir(), login.AgentID)
	key, err := identity.Load(path, login.AgentID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(login.LoginCommand(), "the key of agent %s is not in %s", login.AgentID, path)
	}
	if err != nil {
		return nil, refuse("", "reading the key of agent %s: %w", login.AgentID, err)
	}
	e := &enrolment{Daemon: d, key: key, over: make(chan struct{}), outage: outage{log: d.log}, holds: holds{log: d.log}}
	if e.client, err = e.connect(login); err == nil {
		err = e.prepare(login)
	}
	if err != nil {
		key.Destroy()
		return nil, err
	}
	return e, nil
}

// connect returns a client of the server, known by what the login says of it. That
// is read again with the seal opened: what somebody wrote into the file does not
// count.
func (d *enrolment) connect(login identity.Session) (*client.Client, error) {
	sealed, token, err := identity.OpenSession(d.cfg.dir(), d.key)
	token.Wipe()
	if err != nil {
		return nil, explainLogin(err, login)
	}
	return client.New(client.Config{URL: sealed.ServerURL, HTTP: d.cfg.HTTP, Pin: sealed.Pin, Moved: d.moved})
}

// moved keeps what the server is known by from now on.
func (d *enrolment) moved(next pin.Pin) {
	d.log.Info("the server has another key, and its vault vouches for it", "fingerprint", next.Key)
	if err := identity.MovePin(d.cfg.dir(), d.key, next); err != nil {
		d.log.Warn("the server's key is not kept, and will be asked for again", "err", err)
	}
}

// prepare makes the key that is attested, and what it is attested with. Each server
// gets a key of its own: none can pass on to another what was signed for it.
func (d *enrolment) prepare(login identity.Session) error {
	signer, err := locked.GenerateSigner()
	if err != nil {
		return fmt.Errorf("making the attestation key: %w", err)
	}
	pid, uid := int64(os.Getpid()), int64(os.Getuid())
	d.sessions = newSessions(d.client, d.cfg.dir(), d.key, signer, d.log, d.failures.add)
	d.sessions.login, d.sessions.outage = login, &d.outage
	d.book = openBook(d.cfg.dir(), d.client.URL(), d.key.AgentID, signer, d.log)
	d.sessions.request = api.AttestRequest{
		AttestationPub: proof.EncodeKey(signer.Public()), BinarySHA256: d.hash,
		DaemonVersion: &d.cfg.Version, DaemonPID: &pid, DaemonUID: &uid, Hostname: &d.hostname,
		BootID: new(bootID()), StartedAt: new(d.began.Unix()),
	}
	return nil
}

// asEnrolled answers a request that wants a login.
func (d *Daemon) asEnrolled(serve func(*enrolment) ipc.Response) ipc.Response {
	e, release, err := d.enrolled()
	if err != nil {
		return failure(err)
	}
	defer release()
	return serve(e)
}

// lookPause is how long a daemon without a login waits before it looks for one.
const lookPause = 2 * time.Second

// keep keeps a session of whatever the login is, until ctx ends.
func (d *Daemon) keep(ctx context.Context) {
	for ctx.Err() == nil {
		e, release, err := d.enrolled()
		if err != nil {
			pause(ctx, lookPause)
			continue
		}
		e.keep(ctx)
		release()
	}
}

// keep renews the session, and listens to the server, until ctx or the enrolment is
// over.
func (d *enrolment) keep(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-d.over:
			stop()
		case <-ctx.Done():
		}
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { d.hear(ctx) })
	wg.Go(func() { d.report(ctx) })
	d.sessions.keep(ctx)
}

// reload answers a reload request: it takes up the login as it is now, and opens a
// session with it, unless there is one: sessions are few, and every client may ask.
func (d *Daemon) reload(ctx context.Context) ipc.Response {
	e, login, release, err := d.afresh()
	if err == nil {
		defer release()
		now := e.sessions.get()
		if !now.live() || !login.IssuedAt.Equal(e.sessions.lastLogin().IssuedAt) {
			_, err = e.sessions.replace(ctx, now)
		}
	}
	if err != nil {
		return failure(err)
	}
	return ipc.Response{OK: true}
}

func failure(err error) ipc.Response { return ipc.Response{Error: err.Error(), Hint: client.Hint(err)} }

// afresh is enrolled for a login that may have changed; it returns the login, too.
func (d *Daemon) afresh() (*enrolment, identity.Session, func(), error) {
	d.mu.Lock()
	login, err := identity.LoadSession(d.cfg.dir())
	if d.now != nil && (err != nil || !d.now.is(login)) {
		d.log.Info("the login is another one now, or none", "agent", d.now.key.AgentID, "server", d.now.client.URL())
		d.retire()
	}
	d.mu.Unlock()
	e, release, err := d.enrolled()
	return e, login, release, err
}

// is reports whether a login makes no other enrolment than d.
func (d *enrolment) is(login identity.Session) bool {
	return login.AgentID == d.key.AgentID && client.SameServer(login.ServerURL, d.client.URL()) && (login.Pin == nil) == (d.client.Pin() == nil)
}

// retire ends the present enrolment. Its keys and tokens are wiped when nobody needs
// them any more. The caller holds mu.
func (d *Daemon) retire() {
	e := d.now
	if e == nil {
		return
	}
	d.now = nil
	close(e.over)
	d.retired.Go(func() {
		e.uses.Wait()
		e.projects.wipe()
		e.holds.forget("")
		e.sessions.signer.Destroy()
		e.key.Destroy()
	})
}
