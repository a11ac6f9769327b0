// Package notify delivers what a vault has to tell people: to Slack, Discord,
// Telegram, by mail, or to a program of their own.
//
// The vault keeps messages in an outbox, written in the transaction of what
// they are about. A [Dispatcher] takes them from there, one channel beside the
// other and within a channel in order, until they are delivered or given up. A
// message that was delivered just before a crash is delivered again: receivers
// can tell by its id.
//
// A transport is one file: it reads a channel's config and sends a letter.
// Whatever agents could choose is made inert by the transport's own escape, so
// that it cannot mention anybody, link anywhere, or pass for formatting. No
// error quotes a config: an address of a webhook is a credential.
package notify

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cortex-auth/cortex/vault"
)

// Config is what a Dispatcher needs to know.
type Config struct {
	// Vault has the messages. It stays the caller's.
	Vault *vault.Vault
	// Log receives what operators should know. If nil, nothing is logged.
	Log *slog.Logger
	// Networks are private networks that names of receivers may lead to. If
	// empty, names lead to public addresses only.
	Networks []netip.Prefix
	// Roots are the authorities that receivers have certificates of. If nil,
	// those of the system.
	Roots *x509.CertPool
}

func (c Config) log() *slog.Logger { return cmp.Or(c.Log, slog.New(slog.DiscardHandler)) }

// Stats counts since the Dispatcher was made.
type Stats struct {
	// Delivered, Failed and Dead count attempts that succeeded, attempts that
	// did not, and messages that were given up.
	Delivered, Failed, Dead uint64
}

// A Dispatcher delivers the messages of one vault.
type Dispatcher struct {
	vault *vault.Vault
	log   *slog.Logger
	post  *poster

	delivered, failed, dead atomic.Uint64
	// unnoted are the ids of messages that were delivered, and the vault does
	// not know it yet: it was sealed meanwhile, or had no room.
	unnoted sync.Map
}

// New returns a Dispatcher, which does nothing before [Dispatcher.Run].
func New(c Config) *Dispatcher {
	return &Dispatcher{vault: c.Vault, log: c.log(), post: newPoster(guard{c.Networks}, c.Roots)}
}

// Stats returns what was counted so far.
func (d *Dispatcher) Stats() Stats {
	return Stats{Delivered: d.delivered.Load(), Failed: d.failed.Load(), Dead: d.dead.Load()}
}

// How long it takes to look again after something went wrong with the vault,
// and how long what is on its way may take once it is time to stop.
const (
	lookAgain = 30 * time.Second
	lastCall  = 3 * time.Second
)

// Run delivers until ctx ends, and returns nil then. While the vault is sealed
// it waits. There is at most one Run of a vault at a time.
func (d *Dispatcher) Run(ctx context.Context) error {
	r := run{Dispatcher: d, busy: map[string]bool{}, done: make(chan string)}
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.sending = sending
	for ctx.Err() == nil {
		r.round(ctx)
	}
	stop := time.AfterFunc(lastCall, cancel)
	defer stop.Stop()
	for len(r.busy) > 0 {
		delete(r.busy, <-r.done)
	}
	r.workers.Wait()
	d.post.close()
	return nil
}

// rest keeps a channel from being tried in a loop where outcomes cannot be
// noted.
func rest(ctx context.Context) {
	t := time.NewTimer(lookAgain)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// A run is a Dispatcher at work.
type run struct {
	*Dispatcher
	sending context.Context
	workers sync.WaitGroup
	busy    map[string]bool // channels with a message on its way
	done    chan string     // those that have none any more
}

// round starts what is due, and waits until something else may be.
func (r *run) round(ctx context.Context) {
	due, next, err := r.vault.Due(ctx, func(channel string) bool { return r.busy[channel] })
	for _, m := range due {
		r.busy[m.Channel.ID] = true
		r.workers.Go(func() {
			if err := r.deliver(r.sending, m); err != nil {
				rest(ctx)
			}
			r.done <- m.Channel.ID
		})
	}
	var wait time.Duration
	switch {
	case err == nil && !next.IsZero():
		wait = max(time.Until(next), time.Millisecond)
	case err != nil && !errors.Is(err, vault.ErrSealed) && ctx.Err() == nil:
		r.log.Error("looking for notifications", "err", err)
		wait = lookAgain
	}
	var alarm <-chan time.Time // never, if there is nothing to wait for
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		alarm = t.C
	}
	select {
	case <-ctx.Done():
	case <-r.vault.OutboxReady():
	case channel := <-r.done:
		delete(r.busy, channel)
	case <-alarm:
	}
}
