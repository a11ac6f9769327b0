package vault_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

func TestDevice(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	h := register(t, v, "", "bot")
	d, err := v.AuthorizeDevice(ctx, vaulttest.Origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.ExpiresIn != 10*time.Minute || d.Interval != 5*time.Second || d.DeviceCode.Len() != 64 {
		t.Errorf("got %+v", d)
	}
	code := string(d.DeviceCode.Reveal())
	_, err = v.PollDevice(ctx, vaulttest.Origin, code, nil)
	want(t, err, vault.ErrAuthorizationPending)
	_, err = v.ApproveDevice(ctx, admin, vault.DeviceApproval{UserCode: d.UserCode, AgentID: "nobody", Namespace: ""})
	wantInvalid(t, err, "agent_id")
	_, err = v.ApproveDevice(ctx, admin, vault.DeviceApproval{UserCode: "BBBB-BBBB", AgentID: "bot", Namespace: ""})
	want(t, err, vault.ErrNotFound)
	_, err = v.ApproveDevice(ctx, admin, vault.DeviceApproval{UserCode: "?", AgentID: "bot", Namespace: ""})
	wantInvalid(t, err, "user_code")
	if _, err := v.ApproveDevice(ctx, admin, vault.DeviceApproval{UserCode: " " + strings.ToLower(d.UserCode) + " ", AgentID: "bot", Namespace: ""}); err != nil {
		t.Fatal(err)
	}
	_, err = v.ApproveDevice(ctx, admin, vault.DeviceApproval{UserCode: d.UserCode, AgentID: "bot", Namespace: ""})
	want(t, err, vault.ErrNotFound)
	got, err := v.PollDevice(ctx, vaulttest.Origin, code, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.ExpiresIn != 30*24*time.Hour {
		t.Errorf("lives %v", got.ExpiresIn)
	}
	_, err = v.PollDevice(ctx, vaulttest.Origin, code, nil)
	want(t, err, vault.ErrUnauthorized) // single use
	h.access = got.AccessToken
	h.attest()
	if n, err := v.DeleteDevices(ctx, admin, "", "bot"); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
	_, err = h.tryAttest("0000")
	want(t, err, vault.ErrUnauthorized)
	_, err = h.discover("app")
	want(t, err, vault.ErrUnauthorized) // its sessions ended as well
}

// One approved code, many polls at once: one token.
func TestDeviceCodeIsUsedOnce(t *testing.T) {
	ctx, v := t.Context(), vaulttest.New(t)
	register(t, v, "", "bot")
	d, err := v.AuthorizeDevice(ctx, vaulttest.Origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.ApproveDevice(ctx, vaulttest.Admin, vault.DeviceApproval{UserCode: d.UserCode, AgentID: "bot", Namespace: ""}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() { _, errs[i] = v.PollDevice(ctx, vaulttest.Origin, string(d.DeviceCode.Reveal()), nil) })
	}
	wg.Wait()
	issued := 0
	for _, err := range errs {
		if err == nil {
			issued++
		} else {
			want(t, err, vault.ErrUnauthorized)
		}
	}
	if issued != 1 {
		t.Errorf("%d tokens for one code", issued)
	}
}

func TestDeviceCodesRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
		register(t, v, "", "bot")
		d, err := v.AuthorizeDevice(ctx, vaulttest.Origin, nil)
		if err != nil {
			t.Fatal(err)
		}
		late, err := v.AuthorizeDevice(ctx, vaulttest.Origin, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.ApproveDevice(ctx, admin, vault.DeviceApproval{UserCode: d.UserCode, AgentID: "bot", Namespace: ""}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		_, err = v.PollDevice(ctx, vaulttest.Origin, string(d.DeviceCode.Reveal()), nil)
		want(t, err, vault.ErrDeviceExpired)
		_, err = v.ApproveDevice(ctx, admin, vault.DeviceApproval{UserCode: late.UserCode, AgentID: "bot", Namespace: ""})
		want(t, err, vault.ErrNotFound)
	})
}

func TestAccessTokensRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		h := enrol(t, v, "", "bot")
		time.Sleep(30*24*time.Hour - time.Minute)
		if _, err := h.discover("app"); err != nil {
			t.Errorf("the session of a daemon that never renews ended early: %v", err)
		}
		time.Sleep(2 * time.Minute)
		_, err := h.tryAttest("0000")
		want(t, err, vault.ErrUnauthorized)
		_, err = h.discover("app")
		want(t, err, vault.ErrUnauthorized)
	})
}

func TestAttest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, admin := vaulttest.New(t), vaulttest.Admin
		h := enrol(t, v, "", "bot")
		old := *h
		h.daemon = vaulttest.NewKey(t)
		h.attest()
		if _, err := h.discover("app"); err != nil {
			t.Error(err)
		}
		_, err := old.rediscover("app")
		want(t, err, vault.ErrUnauthorized) // a new session ends the older ones
		_, err = h.tryAttest("0000")
		want(t, err, vault.ErrTooMany)
		if got := actions(t, v, 1)[0]; got != "daemon_attest_rejected alarm" {
			t.Errorf("recorded %q", got)
		}
		time.Sleep(30 * time.Second)
		by, err := v.AuthenticateDevice(t.Context(), h.access, vaulttest.Origin)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Attest(t.Context(), by, vault.AttestRequest{Key: vaulttest.Public(h.daemon), BinarySHA256: "00", Hostname: new("host-2")})
		if err != nil {
			t.Fatal(err)
		}
		if got := actions(t, v, 2); !slices.Equal(got, []string{"agent_on_two_hosts alarm", "daemon_attest success"}) {
			t.Errorf("recorded %v", got)
		}
		all, err := v.Sessions(t.Context(), admin)
		if err != nil || len(all) != 3 || all[0].Revoked != nil || all[1].Revoked == nil || all[2].Revoked == nil {
			t.Errorf("got %+v, %v", all, err)
		}
		if err := v.RevokeSession(t.Context(), admin, all[0].ID); err != nil {
			t.Fatal(err)
		}
		want(t, v.RevokeSession(t.Context(), admin, "nothing"), vault.ErrNotFound)
	})
}

func TestAttestRefuses(t *testing.T) {
	v := vaulttest.New(t)
	h := enrol(t, v, "", "bot")
	by, err := v.AuthenticateDevice(t.Context(), h.access, vaulttest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in    vault.AttestRequest
		field string
	}{
		"no key":       {vault.AttestRequest{BinarySHA256: "00"}, "attestation_pub"},
		"padded key":   {vault.AttestRequest{Key: vaulttest.Public(h.daemon) + "=", BinarySHA256: "00"}, "attestation_pub"},
		"no hash":      {vault.AttestRequest{Key: vaulttest.Public(h.daemon)}, "binary_sha256"},
		"control text": {vault.AttestRequest{Key: vaulttest.Public(h.daemon), BinarySHA256: "00", Hostname: new("\x1b]52;c;")}, "hostname"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Attest(t.Context(), by, c.in)
			if name == "control text" {
				if _, ok := errors.AsType[*vault.InvalidError](err); !ok {
					t.Errorf("got %v", err)
				}
				return
			}
			wantInvalid(t, err, c.field)
		})
	}
	for _, token := range []string{"", "x", "a.b.c", string(h.access.Reveal()) + "A"} {
		_, err := v.AuthenticateDevice(t.Context(), opaque.New([]byte(token)), vaulttest.Origin)
		want(t, err, vault.ErrUnauthorized)
	}
}

func TestAllowlist(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v := vaulttest.On(t, storeFor(t), vault.Config{RequireAttestation: true, AttestLimit: -1})
	h := enrol(t, v, "", "bot")
	listed, disabled := sum([]byte("a")), sum([]byte("b"))
	_, err := v.AllowDaemon(ctx, admin, vault.AllowedDaemon{SHA256: "short", Enabled: true})
	wantInvalid(t, err, "binary_sha256")
	if _, err := v.AllowDaemon(ctx, admin, vault.AllowedDaemon{SHA256: " " + strings.ToUpper(listed), Enabled: true}); err != nil {
		t.Fatal(err)
	}
	_, err = v.AllowDaemon(ctx, admin, vault.AllowedDaemon{SHA256: listed})
	want(t, err, vault.ErrExists)
	if _, err := v.AllowDaemon(ctx, admin, vault.AllowedDaemon{SHA256: disabled}); err != nil {
		t.Fatal(err)
	}
	_, err = h.tryAttest(disabled)
	want(t, err, vault.ErrBinaryDisabled)
	_, err = h.tryAttest("0000")
	want(t, err, vault.ErrBinaryNotAllowed)
	if got := actions(t, v, 1)[0]; got != "daemon_attest_rejected denied" {
		t.Errorf("recorded %q", got)
	}
	if res, err := h.tryAttest(listed); err != nil || !res.AllowlistEnforced {
		t.Errorf("got %+v, %v", res, err)
	}
	for _, sha := range []string{listed, disabled} {
		if err := v.DisallowDaemon(ctx, admin, sha); err != nil {
			t.Fatal(err)
		}
	}
	want(t, v.DisallowDaemon(ctx, admin, listed), vault.ErrNotFound)
	if res, err := h.tryAttest("0000"); err != nil || res.AllowlistEnforced {
		t.Errorf("got %+v, %v", res, err)
	}
}

// An id that stands in two namespaces names neither agent alone.
func TestDevicesOfOneAgent(t *testing.T) {
	v := vaulttest.New(t)
	ctx, admin := t.Context(), vaulttest.Admin
	enrol(t, v, "", "twin")
	enrol(t, v, "prod", "twin")
	_, err := v.DeleteDevices(ctx, admin, "", "twin")
	want(t, err, vault.ErrAmbiguous)
	for _, wanted := range []int{1, 0} {
		if n, err := v.DeleteDevices(ctx, admin, "prod", "twin"); err != nil || n != wanted {
			t.Errorf("%d, %v, want %d", n, err, wanted)
		}
	}
	if n, err := v.DeleteDevices(ctx, admin, "default", "twin"); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}
