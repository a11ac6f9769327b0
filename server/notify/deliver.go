package notify

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cortex-auth/cortex/vault"
)

// When a message is given up: at that age, or after the receiver refused it so
// often. A receiver that cannot be reached is tried for as long as that.
const (
	maxAge     = 24 * time.Hour
	maxRefused = 3
)

// The pauses between attempts: they double, up to the longest.
const (
	firstPause   = 5 * time.Second
	longestPause = 30 * time.Minute
)

// settleTimeout is how long the vault may take to note an outcome.
const settleTimeout = 10 * time.Second

// deliver tries a message once, and tells the vault what came of it. An error is
// that the vault could not note it.
func (d *Dispatcher) deliver(ctx context.Context, m vault.Delivery) error {
	defer m.Config.Wipe()
	if _, sent := d.unnoted.Load(m.Message.ID); sent {
		return d.succeed(ctx, m)
	}
	err := d.send(ctx, m)
	if err == nil {
		d.delivered.Add(1)
		d.unnoted.Store(m.Message.ID, nil)
		return d.succeed(ctx, m)
	}
	if ctx.Err() != nil {
		return nil // it was cut off, and is tried again after the next start
	}
	return d.fail(ctx, m, err)
}

// send tries a message once.
func (d *Dispatcher) send(ctx context.Context, m vault.Delivery) error {
	t, err := parse(m.Channel.Type, m.Config.Reveal())
	if err != nil {
		return &failure{why: "the config is not good: " + err.Error(), refused: true}
	}
	l, err := write(m)
	if err != nil {
		return &failure{why: "the template is not good: " + err.Error(), refused: true}
	}
	return t.send(ctx, d.post, l)
}

// succeed notes a delivery.
func (d *Dispatcher) succeed(ctx context.Context, m vault.Delivery) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	err := d.vault.Delivered(ctx, m)
	if err == nil {
		d.unnoted.Delete(m.Message.ID)
	}
	return d.noted(m, err)
}

// fail notes a failed attempt, and gives up what is hopeless.
func (d *Dispatcher) fail(ctx context.Context, m vault.Delivery, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{why: "internal error"} // unreachable
	}
	d.failed.Add(1)
	log := d.logOf(m).With("err", f, "attempts", m.Attempts+1)
	if !m.Test && f.hopeless(m, time.Now()) {
		d.dead.Add(1)
		log.Error("giving a notification up")
		return d.noted(m, d.vault.Undeliverable(ctx, m, f.why))
	}
	log.Warn("could not deliver a notification")
	return d.noted(m, d.vault.Undelivered(ctx, m, f.why, time.Now().Add(f.pause(m.Attempts, rand.Float64()))))
}

// noted logs that an outcome could not be noted, and why. A sealed vault is
// none of that: whoever looks for what is due waits for it.
func (d *Dispatcher) noted(m vault.Delivery, err error) error {
	if err == nil || errors.Is(err, vault.ErrSealed) {
		return nil
	}
	d.logOf(m).Error("noting the outcome of a notification", "err", err)
	return err
}

func (d *Dispatcher) logOf(m vault.Delivery) *slog.Logger {
	return d.log.With("channel", m.Channel.ID, "type", m.Channel.Type, "kind", m.Message.Kind)
}

// A failure is why a message was not delivered, in words that quote neither
// config nor answer.
type failure struct {
	why string
	// refused says that the receiver understood and said no.
	refused bool
	// after is how long the receiver wants to be left alone.
	after time.Duration
}

func (f *failure) Error() string { return f.why }

// hopeless reports whether m is not tried again.
func (f *failure) hopeless(m vault.Delivery, now time.Time) bool {
	return now.Sub(m.Queued) >= maxAge || f.refused && m.Attempts+1 >= maxRefused
}

// pause returns how long to wait before the next attempt: half as long to half
// as long again as the step says, so that channels do not come all at once, and
// never less than the receiver asked for.
func (f *failure) pause(attempts int, random float64) time.Duration {
	step := longestPause
	if attempts < 16 {
		step = min(firstPause<<attempts, longestPause)
	}
	return max(time.Duration(float64(step)*(0.5+random)), f.after)
}
