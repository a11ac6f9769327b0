package vault

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// A ChannelTest is a test message on its way. It must be closed.
type ChannelTest struct {
	// Name is the channel's.
	Name string
	// Outcome gets why the message could not be delivered, empty if it was.
	Outcome <-chan string

	id    string
	tests *tests
}

// Close ends the waiting for the outcome. The message is delivered regardless.
func (t ChannelTest) Close() { t.tests.forget(t.id) }

// TestChannel queues a test message for one channel, and no other, before
// everything that waits for it; also for a disabled one, because whether it
// works is what the administrator wants to know. Too many tests that wait are
// [ErrTooMany].
func (v *Vault) TestChannel(ctx context.Context, by access.Caller, id string) (ChannelTest, error) {
	t := ChannelTest{id: uuid.NewString(), tests: &v.tests}
	t.Outcome = v.tests.expect(t.id)
	err := v.do(ctx, by, record{action: access.TestChannel, resource: id}, func(o *op) error {
		c, err := o.channel(id)
		if err != nil {
			return err
		}
		t.Name = c.Name
		waiting, err := gather(outbox.All(o.Tx, store.Join(id, classTest)))
		if err != nil {
			return err
		}
		if len(waiting) >= maxTests {
			return ErrTooMany
		}
		q, err := o.queue(id)
		if err != nil {
			return err
		}
		b := messageBody{Kind: KindTest, Severity: Info, Actor: by.Name, Source: by.Origin.Source, Time: o.now.UnixNano()}
		if q, err = o.add(q, messageRow{ID: t.id, Body: b, Test: true}); err != nil {
			return err
		}
		return queues.Put(o.Tx, q)
	})
	if err != nil {
		t.Close()
		return ChannelTest{}, err
	}
	return t, nil
}

// tests are those who wait for the outcome of a test. The zero value is ready.
type tests struct {
	mu      sync.Mutex // guards waiting
	waiting map[string]chan string
}

func (t *tests) expect(id string) <-chan string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		t.waiting = map[string]chan string{}
	}
	outcome := make(chan string, 1)
	t.waiting[id] = outcome
	return outcome
}

func (t *tests) forget(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, id)
}

// tell tells whoever waits for a message, once.
func (t *tests) tell(id, outcome string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if waiting, ok := t.waiting[id]; ok {
		waiting <- outcome
		delete(t.waiting, id)
	}
}
