package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/cortex-auth/cortex/server/notify"
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/harden"
	"github.com/cortex-auth/cortex/vault/locked"
)

// drainTimeout is how long requests under way may take once the server was
// told to stop.
const drainTimeout = 20 * time.Second

// heapSlack is never touched, and so takes no memory. It makes the collector
// believe in a heap of that size: what a server keeps is so little that it would
// otherwise collect a hundred times a second under load.
const heapSlack = 16 << 20

// A program is the server as a process.
type program struct {
	log    *slog.Logger
	level  *slog.LevelVar // of the log
	stdin  *os.File
	stdout io.Writer
}

// run serves until ctx ends. Nothing listens before the vault is unsealed.
func (p program) run(ctx context.Context, s settings) error {
	harden.Process(harden.Options{}).Log(p.log)
	slack := make([]byte, heapSlack)
	defer runtime.KeepAlive(slack)
	plan, err := s.plan(ctx)
	if err != nil {
		return err
	}
	p.announce(plan)
	g, err := plan.given(ctx, p.log)
	if err != nil {
		return err
	}
	defer g.wipe()
	db, err := p.open(plan)
	if err != nil {
		return err
	}
	v := vault.New(vault.Config{
		DB: db, Log: p.log, Params: plan.params, RequireAttestation: plan.attest, AttestLimit: plan.attestLimit(),
		TwoPerson: plan.twoPerson, RequireDeviceProof: plan.requireDevice, RequireAttestProof: plan.requireAttest,
		FreezeOnHoneyName: plan.freezeOnName, AuditRetention: plan.live.retention,
	})
	if err := p.prepare(ctx, v, plan, g); err != nil {
		// A new vault has nothing in it yet, and nobody who could use it.
		return errors.Join(err, v.Close(), db.Discard())
	}
	err = p.serve(ctx, v, s, plan, g)
	return errors.Join(err, v.Close(), db.Close())
}

// prepare unseals the vault, and sees to it that there is an admin token.
func (p program) prepare(ctx context.Context, v *vault.Vault, plan plan, g *given) error {
	if err := p.unseal(ctx, v, plan, g.password); err != nil || v.Sealed() {
		return err
	}
	defer g.forgetAdmin() // a vault that is sealed and opened again has one
	return p.settle(ctx, v, plan, g)
}

// announce says what a careful operator should know before anything happens.
func (p program) announce(plan plan) {
	for _, setting := range plan.insecure {
		p.log.Warn("insecure setting", "setting", setting)
	}
	if plan.cert != nil && !plan.cert.own {
		left := time.Until(plan.cert.expires())
		if left < 14*24*time.Hour {
			p.log.Warn("the certificate expires soon or has expired", "file", plan.cert.certFile, "in", left.Round(time.Hour))
		}
	}
}

func (p program) open(plan plan) (*store.DB, error) {
	db, err := store.Open(store.Options{Path: plan.path, Reserve: plan.reserve, Log: p.log})
	if err != nil {
		return nil, fmt.Errorf("opening vault: %w", err)
	}
	p.log.Info("opened the vault file", "path", db.Path())
	return db, nil
}

// unseal opens the vault with the operator's password, or makes a new one.
func (p program) unseal(ctx context.Context, v *vault.Vault, plan plan, given found) error {
	old, err := v.Initialized(ctx)
	if err != nil {
		return fmt.Errorf("reading vault: %w", err)
	}
	if !old {
		p.log.Warn("this is a NEW vault: if you expected one with secrets in it, stop, and check DATABASE_URL and the working directory")
	}
	p.log.Info("SEALED", "new", !old)
	if plan.recovery.on {
		if !old {
			return errors.New("there is nothing to recover: this vault is new")
		}
		began := time.Now()
		if err := p.recover(ctx, v, plan.recovery); err != nil {
			return err
		}
		p.unsealed(v, began)
		return nil
	}
	password, from := given.Bytes, given.from
	if password.IsZero() && plan.listenSealed && old {
		p.log.Warn("listening while SEALED: unseal with `cortex unseal`")
		return nil
	}
	if password.IsZero() {
		from = "the terminal or standard input"
		if password, err = askPassword(ctx, p.stdin, !old); err != nil {
			return err
		}
	}
	defer password.Wipe()
	p.log.Info("deriving the key from the operator password", "from", from)
	began := time.Now()
	if old {
		err = v.Unseal(ctx, password)
	} else {
		err = v.Init(ctx, password)
	}
	if err != nil {
		return err
	}
	p.unsealed(v, began)
	return nil
}

// unsealed says how well the keys are kept.
func (p program) unsealed(v *vault.Vault, began time.Time) {
	memory := locked.Status()
	p.log.Info("UNSEALED", "took", time.Since(began), "kek_version", v.KEKVersion(), "vault", v.ID(), "memory", memory)
	if !memory.OK() {
		p.log.Warn("a protection is missing", "measure", "locked memory", "detail", memory)
	}
}

// serve prepares what needs the keys, listens, and serves until ctx ends.
func (p program) serve(ctx context.Context, v *vault.Vault, s settings, plan plan, g *given) error {
	if err := p.certify(ctx, v, plan); err != nil {
		return fmt.Errorf("preparing the server's certificate: %w", err)
	}
	handler, err := New(Config{
		Vault: v, MetricsToken: g.metrics.Bytes, Log: p.log, Live: plan.live.Live,
		ServerKey: plan.cert.statement,
		OnUnseal: func(ctx context.Context) error {
			if err := p.settle(ctx, v, plan, g); err != nil {
				return err
			}
			return p.vouch(ctx, plan.cert)
		},
	})
	if err != nil {
		return err
	}
	listener, err := net.ListenTCP("tcp", plan.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listening: %w: choose another port with --port", err)
	}
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	var background sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer background.Wait()
	defer cancel()
	background.Go(func() { _ = v.Run(ctx) }) // returns nil, always
	notifier := notify.New(notify.Config{Vault: v, Log: p.log, Networks: plan.networks})
	background.Go(func() { _ = notifier.Run(ctx) }) // returns nil, always
	// Before anybody can know that the server is there, and ask it to reload.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	background.Go(func() { p.reload(ctx, hup, handler, s, plan) })
	background.Go(func() { p.watchdog(ctx, v) })
	if plan.cert != nil {
		background.Go(func() { p.renew(ctx, plan.cert) })
	}
	return p.accept(ctx, handler.HTTPServer(), newGuests(listener, handler.trusts), plan)
}

// settle records what the audit trail should know, and sees to it that there
// is an admin token.
func (p program) settle(ctx context.Context, v *vault.Vault, plan plan, g *given) error {
	if err := v.Start(ctx); err != nil {
		return fmt.Errorf("recording the start: %w", err)
	}
	for _, setting := range plan.insecure {
		if err := v.RecordInsecure(ctx, setting); err != nil {
			return fmt.Errorf("recording an insecure setting: %w", err)
		}
	}
	return p.adminToken(ctx, v, g)
}

// accept serves connections until ctx ends, and then drains them.
func (p program) accept(ctx context.Context, srv *http.Server, l net.Listener, plan plan) error {
	stopped := make(chan error, 1)
	go func() {
		if plan.cert == nil {
			stopped <- srv.Serve(l)
			return
		}
		srv.TLSConfig = plan.cert.config()
		stopped <- srv.ServeTLS(l, "", "")
	}()
	url := baseURL(l.Addr(), plan.cert != nil)
	p.log.Info("listening", "url", url)
	p.notify("READY=1\nX_CORTEX_URL=" + url)
	select {
	case err := <-stopped:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	p.notify("STOPPING=1")
	p.log.Info("stopping: answering the requests under way")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if err != nil {
		p.log.Warn("requests were cut off", "err", err)
		err = srv.Close()
	}
	<-stopped
	return err
}
