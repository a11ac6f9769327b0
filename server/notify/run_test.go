package notify_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/notify"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A receiver that cannot be reached is tried for a day, less and less often,
// and then the message is laid aside.
func TestADayOfAttempts(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // there is no himalaya, and nothing is started
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		c, err := v.CreateChannel(t.Context(), vaulttest.Admin, vault.NewChannel{
			Type: vault.Email, Name: "ops", Config: opaque.New([]byte(`{"to":"ops@example.org"}`)), Enabled: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		d := notify.New(notify.Config{Vault: v})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = d.Run(ctx) })
		freeze(t, v)
		synctest.Wait()
		attempts := func() int { return int(d.Stats().Failed) }
		if attempts() != 1 {
			t.Errorf("%d attempts at once", attempts())
		}
		time.Sleep(2 * time.Second) // less than half of the first pause
		synctest.Wait()
		if attempts() != 1 {
			t.Errorf("%d attempts without a pause", attempts())
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if attempts() != 2 {
			t.Errorf("%d attempts after the first pause", attempts())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := attempts(); n < 8 || n > 14 {
			t.Errorf("%d attempts in an hour", n)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		letters, err := v.DeadLetters(t.Context(), vaulttest.Admin, c.ID)
		if err != nil || len(letters) != 1 || letters[0].Attempts < 35 || letters[0].Attempts > 110 || d.Stats().Dead != 1 {
			t.Errorf("%+v %v %+v", letters, err, d.Stats())
		}
		cancel()
		running.Wait()
	})
}

// freeze does something that people hear of.
func freeze(t *testing.T, v *vault.Vault) {
	t.Helper()
	if _, err := v.CreateNamespace(t.Context(), vaulttest.Admin, "prod", nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Freeze(t.Context(), vaulttest.Admin, vault.FreezeTarget{Kind: vault.FreezeNamespace, Name: "prod"}, nil); err != nil {
		t.Fatal(err)
	}
}

// Who hears that something was frozen hears why, and no reason mentions anybody.
func TestReasonIsTold(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	r := receive(t, nil)
	channel(t, s, "slack", "ops", hook(r))
	s.Admin(t, "POST", "/admin/freeze", map[string]string{"kind": "namespace", "name": "default", "reason": "<!channel> the laptop was stolen"}, nil)
	text := r.next(t).text(t, "text")
	if !strings.Contains(text, "\nreason: ") || !strings.Contains(text, "the laptop was stolen") || strings.Contains(text, "<!channel>") {
		t.Errorf("%q", text)
	}
}

// A vault that is sealed while a message is on its way knows nothing of the
// delivery. Opened again it is told, and the message does not come twice; what
// waited is delivered.
func TestSealedMeanwhile(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	release := make(chan struct{})
	r := receive(t, func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			<-release
		}
	})
	id := channel(t, s, "slack", "ops", hook(r))
	freeze(t, s.Vault)
	s.Admin(t, "POST", "/admin/unfreeze", map[string]string{"kind": "namespace", "name": "prod"}, nil)
	first := r.next(t).text(t, "text")
	if err := s.Vault.Close(); err != nil {
		t.Fatal(err)
	}
	close(release)
	until(t, func() bool { return s.Notifier.Stats().Delivered == 1 })
	r.nothing(t)
	if err := s.Vault.Unseal(t.Context(), opaque.New([]byte(servertest.Password))); err != nil {
		t.Fatal(err)
	}
	if second := r.next(t).text(t, "text"); second == first {
		t.Errorf("it came twice: %q", second)
	}
	until(t, func() bool { return state(t, s, id).Queued == 0 })
	r.nothing(t)
}

// People hear of the sealing before the vault forgets where they are, and one
// receiver that hangs keeps it open for seconds only. Who was not told is told
// later, and nobody twice.
func TestSealingIsTold(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	r := receive(t, nil)
	channel(t, s, "slack", "ops", hook(r))
	s.Admin(t, "POST", "/sys/seal", nil, nil)
	// A machine that is busy enough takes longer than sealing waits.
	if len(r.got) == 0 && !strings.Contains(s.Log(), "before everybody was told") {
		t.Error("the vault is sealed, and nobody was told")
	}
	unseal := func() {
		t.Helper()
		if err := s.Vault.Unseal(t.Context(), opaque.New([]byte(servertest.Password))); err != nil {
			t.Fatal(err)
		}
	}
	unseal()
	if text := r.next(t).text(t, "text"); !strings.Contains(text, "sealed") {
		t.Errorf("told %q", text)
	}
	r.nothing(t)

	release := make(chan struct{})
	slow := receive(t, func(int, http.ResponseWriter, *http.Request) { <-release })
	id := channel(t, s, "slack", "slow", hook(slow))
	s.Admin(t, "POST", "/sys/seal", nil, nil)
	if !s.Vault.Sealed() {
		t.Error("a receiver that hangs keeps the vault open")
	}
	close(release)
	unseal()
	r.next(t)
	slow.next(t)
	until(t, func() bool { return state(t, s, id).Queued == 0 })
	r.nothing(t)
	slow.nothing(t)
}

// Whoever runs it gets it back soon, also when a receiver hangs.
func TestRunEnds(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, Direct: true})
	release := make(chan struct{})
	defer close(release)
	r := receive(t, func(int, http.ResponseWriter, *http.Request) { <-release })
	id := channel(t, s, "slack", "ops", hook(r))
	d := notify.New(notify.Config{Vault: s.Vault})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	freeze(t, s.Vault)
	r.next(t)
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(8 * time.Second):
		t.Fatal("it goes on")
	}
	if c := state(t, s, id); c.Queued != 1 || c.LastError != "" {
		t.Errorf("%+v", c)
	}
}
