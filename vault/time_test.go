package vault_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

func TestTokensRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h, _, bearer := ready(t)
		time.Sleep(14*24*time.Hour - 2*time.Second)
		if _, err := h.fetch("app", bearer); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		_, err := h.fetch("app", bearer)
		want(t, err, vault.ErrTokenExpired)
		res, err := h.discover("app", "KEY") // needs no regenerate
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.fetch("app", res.Token.Reveal()); err != nil {
			t.Error(err)
		}
	})
}

// ranOut returns a host whose approval has run out, with a token that has not, and what the
// host waits for.
func ranOut(t *testing.T) (*vault.Vault, *host, []byte, *vault.PendingError) {
	t.Helper()
	v, h, _, _ := ready(t)
	time.Sleep(30*24*time.Hour - time.Hour)
	h.login()
	h.attest()
	res, err := h.discover("app", "KEY")
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Hour)
	_, err = h.rediscover("app", "KEY")
	return v, h, res.Token.Reveal(), wantPending(t, err, "KEY")
}

func TestApprovalsRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, h, bearer, _ := ranOut(t)
		if _, err := h.fetch("app", bearer); err != nil {
			t.Errorf("the last token died with the window: %v", err)
		}
		intact(t, v)
	})
}

func TestClockWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		h := enrol(t, v, "", "bot")
		early := h.ask("app")
		time.Sleep(300 * time.Second)
		if _, err := h.send(early); err != nil {
			t.Errorf("at the edge of the window: %v", err)
		}
		late := h.ask("app")
		time.Sleep(301 * time.Second)
		_, err := h.send(late)
		want(t, err, vault.ErrClockSkew)
		for _, ts := range []int64{-1 << 63, -1, 0, 1<<63 - 1} {
			q := h.ask("app")
			*q.TS = ts
			if _, err := h.send(q); err == nil {
				t.Errorf("ts %d was let in", ts)
			}
		}
	})
}

// A message stays used across restarts and housekeeping, whatever the clock
// does meanwhile.
func TestReplayAcrossRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.New(t)
		v := vaulttest.On(t, db, vault.Config{RequireAttestation: true})
		h := enrol(t, v, "", "bot")
		q := h.ask("app")
		if _, err := h.send(q); err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		h.v = vaulttest.On(t, db, vault.Config{RequireAttestation: true})
		_, err := h.send(q)
		want(t, err, vault.ErrReplay)

		houseKept(t, h.v, 20*time.Minute) // what is too old for any clock is purged
		_, err = h.send(q)
		want(t, err, vault.ErrClockSkew)
	})
}

// A message stays used if the vault is started again with its clock before or
// after where it was, by less than the window for messages or by more. Each
// bubble starts at one and the same moment.
func TestReplayAcrossRestartWithAnotherClock(t *testing.T) {
	config := vault.Config{RequireAttestation: true}
	dir := t.TempDir()
	path := filepath.Join(dir, "vault.db")
	var h *host
	var early, late question
	synctest.Test(t, func(t *testing.T) { // housekeeping runs under a clock that is fast
		h = enrol(t, vaulttest.On(t, storetest.Open(t, path), config), "", "bot")
		early = h.ask("app")
		if _, err := h.send(early); err != nil {
			t.Fatal(err)
		}
		houseKept(t, h.v, 20*time.Minute)
		late = h.ask("app")
		late.Regenerate = true
		if _, err := h.send(late); err != nil {
			t.Fatal(err)
		}
	})
	for name, clock := range map[string]struct {
		ahead time.Duration
		early error
		late  error
	}{
		"set back":       {0, vault.ErrReplay, vault.ErrClockSkew},
		"set back a bit": {16 * time.Minute, vault.ErrClockSkew, vault.ErrReplay},
		"set on a bit":   {24 * time.Minute, vault.ErrClockSkew, vault.ErrReplay},
		"set on":         {26 * time.Minute, vault.ErrClockSkew, vault.ErrClockSkew},
	} {
		t.Run(name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "vault.db")
			if err := os.CopyFS(filepath.Dir(copied), os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(clock.ahead)
				h := *h
				h.t, h.v = t, vaulttest.On(t, storetest.Open(t, copied), config)
				_, err := h.send(early)
				want(t, err, clock.early)
				_, err = h.send(late)
				want(t, err, clock.late)
			})
		})
	}
}

// houseKept runs a vault for that long, with its housekeeping.
func houseKept(t *testing.T, v *vault.Vault, long time.Duration) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- v.Run(ctx) }()
	time.Sleep(long)
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// Whoever fails chooses how often; the record stays bounded and says how often.
func TestFailuresAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- v.Run(ctx) }()
		synctest.Wait()
		before := len(actions(t, v, 1000))
		for i := range 5000 {
			from := access.Origin{Source: fmt.Sprintf("198.51.100.%d", i%250)}
			_, err := v.AuthenticateAdmin(t.Context(), opaque.New([]byte("guess")), from)
			want(t, err, vault.ErrUnauthorized)
		}
		if n := len(actions(t, v, 1000)) - before; n != 30 {
			t.Errorf("%d entries at once", n)
		}
		time.Sleep(2 * time.Minute)
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{})
		if err != nil {
			t.Fatal(err)
		}
		counted := 0
		for _, r := range rows[:len(rows)-before] {
			n := 1
			if r.Resource != nil {
				if _, err := fmt.Sscanf(*r.Resource, "%d more", &n); err != nil {
					t.Errorf("resource %q", *r.Resource)
				}
			}
			counted += n
		}
		if counted != 5000 {
			t.Errorf("the record accounts for %d failures", counted)
		}
		if n := len(rows) - before; n > 30+250 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestAdminToken(t *testing.T) {
	ctx, v := t.Context(), vaulttest.New(t)
	auth := func(token string) error {
		_, err := v.AuthenticateAdmin(ctx, opaque.New([]byte(token)), vaulttest.Origin)
		return err
	}
	want(t, auth("anything"), vault.ErrUnauthorized) // before there is one
	want(t, auth(""), vault.ErrUnauthorized)
	var shown string
	show := func(token opaque.Bytes) error { shown = string(token.Reveal()); return nil }
	broken := func(opaque.Bytes) error { return context.DeadlineExceeded }
	_, err := v.EnsureAdminToken(ctx, broken)
	want(t, err, context.DeadlineExceeded) // nothing is stored that nobody saw
	created, err := v.EnsureAdminToken(ctx, show)
	if err != nil || !created || len(shown) != 64 {
		t.Fatalf("created %v, %v, token of %d", created, err, len(shown))
	}
	if err := auth(shown); err != nil {
		t.Error(err)
	}
	if created, err := v.EnsureAdminToken(ctx, show); err != nil || created {
		t.Errorf("created %v, %v", created, err)
	}
	first := shown
	_, err = v.UseAdminToken(ctx, opaque.New([]byte("fifteen bytes..")))
	wantInvalid(t, err, "the admin token")
	if replaced, err := v.UseAdminToken(ctx, opaque.New([]byte("sixteen bytes..."))); err != nil || !replaced {
		t.Errorf("replaced %v, %v", replaced, err)
	}
	want(t, auth(first), vault.ErrUnauthorized)
	if err := auth("sixteen bytes..."); err != nil {
		t.Error(err)
	}
	if replaced, err := v.UseAdminToken(ctx, opaque.New([]byte("sixteen bytes..."))); err != nil || replaced {
		t.Errorf("the same token again: replaced %v, %v", replaced, err)
	}
	if got := actions(t, v, 20); !slices.Contains(got, "admin_token_set success") || strings.Contains(strings.Join(got, " "), shown) {
		t.Errorf("recorded %v", got)
	}
}
