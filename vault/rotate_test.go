package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

func text(s string) opaque.Bytes { return opaque.New([]byte(s)) }

// rotated rotates a vault to a new password, and waits for the end.
func rotated(t *testing.T, v *vault.Vault, next string) {
	t.Helper()
	if _, err := v.RotateKEK(t.Context(), vaulttest.Admin, text(next), opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	if err := v.FinishRotation(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// reopened opens the file of a vault again, as another process would.
func reopened(t *testing.T, db *store.DB, password string) (*vault.Vault, error) {
	t.Helper()
	v := vault.New(vault.Config{DB: db, Params: vaulttest.Cheap, RequireAttestation: true})
	t.Cleanup(func() { v.Close() })
	return v, v.Unseal(t.Context(), text(password))
}

// Everything opens after a rotation, at once and after a restart, and only with
// the new password. What the file held of the old KEK is gone from it.
func TestRotate(t *testing.T) {
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{RequireAttestation: true})
	ctx := t.Context()
	for i := range 300 {
		keep(t, v, "", fmt.Sprintf("many/s%03d", i), fmt.Sprint("value ", i))
	}
	s := keep(t, v, "", "key", "value")
	h := enrol(t, v, "", "bot")
	bearer := h.approved("app", "KEY").Token.Reveal()
	if _, err := v.CreateChannel(ctx, vaulttest.Admin, vault.NewChannel{Type: vault.Slack, Name: "ops", Config: text("{}")}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	kid := signingKID(t, v)

	r, err := v.RotateKEK(ctx, vaulttest.Admin, text("the next password"), opaque.Bytes{})
	if err != nil || r.From != 1 || r.To != 2 || r.Finished != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	// Nothing is wrapped anew yet, and everything opens.
	if got, err := h.fetch("app", bearer); got["KEY"] != "value" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := v.RotateKEK(ctx, vaulttest.Admin, text("another"), opaque.Bytes{}); !errors.Is(err, vault.ErrRotating) {
		t.Errorf("two at once: %v", err)
	}
	written := keep(t, v, "", "written/meanwhile", "new")
	next := text("changed meanwhile")
	if _, err := v.UpdateSecret(ctx, vaulttest.Admin, s.ID, vault.SecretChange{Value: &next}); err != nil {
		t.Fatal(err)
	}
	if err := v.FinishRotation(ctx); err != nil {
		t.Fatal(err)
	}
	if r, err = v.Rotation(ctx, vaulttest.Admin); err != nil || r.Finished == nil || r.Wrapped < 302 || r.Compacting {
		t.Errorf("%+v, %v", r, err)
	}
	if got := actions(t, v, 1); got[0] != "rotate_kek success" {
		t.Errorf("%v", got)
	}
	check := func(v *vault.Vault) {
		t.Helper()
		if _, value, err := v.ReadSecret(ctx, vaulttest.Admin, written.ID); err != nil || string(value.Reveal()) != "new" {
			t.Errorf("written meanwhile: %v", err)
		}
		all, err := v.Secrets(ctx, vaulttest.Admin, vault.SecretFilter{})
		if err != nil || len(all) != 302 {
			t.Errorf("%d secrets, %v", len(all), err)
		}
		for _, s := range all {
			if _, _, err := v.ReadSecret(ctx, vaulttest.Admin, s.ID); err != nil {
				t.Fatalf("%s: %v", s.Path, err)
			}
		}
		if signingKID(t, v) != kid {
			t.Error("another signing key")
		}
		intact(t, v)
	}
	check(v)
	if got, err := h.fetch("app", bearer); got["KEY"] != "changed meanwhile" {
		t.Errorf("%v, %v", got, err)
	}
	// No wrap of the old KEK is left. Bodies stay as they are.
	after, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	if n := wrapsLeft(t, before, after); n > 0 {
		t.Errorf("%d old wraps are still in the file", n)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := reopened(t, db, "correct horse battery staple"); !errors.Is(err, vault.ErrWrongPassword) {
		t.Errorf("the old password: %v", err)
	}
	v, err = reopened(t, db, "the next password")
	want(t, err, nil)
	check(v)
	if v.KEKVersion() != 2 {
		t.Errorf("version %d", v.KEKVersion())
	}
	rotated(t, v, "the third password")
	check(v)
}

// wrapsLeft counts the keys wrapped by the first KEK in one file that are in another.
// They lie behind the key of a first version, the KEK's and a nonce; and in rows with
// an envelope, as its member 3: 0x03, then 48 bytes (0x58 0x30).
func wrapsLeft(t *testing.T, before, after []byte) (n int) {
	t.Helper()
	for mark, at := range map[string]int{
		strings.Repeat("0", 19) + "1\x00\x00\x00\x01": 12, "\x03\x58\x30": 0, // behind a nonce; at once
	} {
		found := 0
		for rest := before; ; found++ {
			_, behind, ok := bytes.Cut(rest, []byte(mark))
			if !ok || len(behind) < at+48 {
				break
			}
			if rest = behind; bytes.Contains(after, behind[at:at+48]) {
				n++
			}
		}
		if found == 0 {
			t.Errorf("no wrap behind %q", mark)
		}
	}
	return n
}

func signingKID(t *testing.T, v *vault.Vault) string {
	t.Helper()
	keys, err := v.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys[0].KID
}

// A rotation that is cut off goes on where it was, also in another process; until
// then both kinds open, and only the new password does.
func TestRotationGoesOn(t *testing.T) {
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{RequireAttestation: true})
	const n = 3000 // more than one piece
	ids := make([]string, n)
	var wg sync.WaitGroup
	for w := range 100 {
		wg.Go(func() {
			for i := w; i < n; i += 100 {
				ids[i] = keep(t, v, "", fmt.Sprintf("s%04d", i), fmt.Sprint("value ", i)).ID
			}
		})
	}
	wg.Wait()
	if _, err := v.RotateKEK(t.Context(), vaulttest.Admin, text("next"), opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cut := make(chan error, 1)
	go func() { cut <- v.FinishRotation(ctx) }()
	for {
		if r, err := v.Rotation(t.Context(), vaulttest.Admin); err != nil || r.Wrapped > 0 {
			break
		}
	}
	cancel()
	<-cut
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := reopened(t, db, "correct horse battery staple"); !errors.Is(err, vault.ErrWrongPassword) {
		t.Errorf("the old password: %v", err)
	}
	v, err := reopened(t, db, "next")
	want(t, err, nil)
	some := func() {
		t.Helper()
		for i := 0; i < n; i += 60 {
			_, value, err := v.ReadSecret(t.Context(), vaulttest.Admin, ids[i])
			if err != nil || string(value.Reveal()) != fmt.Sprint("value ", i) {
				t.Fatalf("secret %d: %v", i, err)
			}
		}
	}
	some()
	want(t, v.FinishRotation(t.Context()), nil)
	some()
	if r, err := v.Rotation(t.Context(), vaulttest.Admin); err != nil || r.Finished == nil || r.Wrapped != n+1 {
		t.Errorf("%+v, %v", r, err)
	}
	intact(t, v)
}

// What a process left undone of a rotation, its successor does as soon as the
// vault is unsealed, before or after it begins to keep house: the file does not
// hold the old wraps for a minute more.
func TestRotationGoesOnAtOnce(t *testing.T) {
	for name, unsealed := range map[string]bool{"unsealed": true, "sealed": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := storetest.New(t)
				v := vaulttest.On(t, db, vault.Config{})
				for i := range 20 {
					keep(t, v, "", fmt.Sprintf("s%03d", i), fmt.Sprint("value ", i))
				}
				before, err := os.ReadFile(db.Path())
				want(t, err, nil)
				_, err = v.RotateKEK(t.Context(), vaulttest.Admin, text("next"), opaque.Bytes{})
				want(t, err, nil)
				want(t, v.Close(), nil)
				v = vault.New(vault.Config{DB: db, Params: vaulttest.Cheap})
				t.Cleanup(func() { v.Close() })
				if unsealed {
					want(t, v.Unseal(t.Context(), text("next")), nil)
				}
				began := time.Now()
				go v.Run(t.Context())
				synctest.Wait()
				want(t, v.Unseal(t.Context(), text("next")), nil)
				synctest.Wait()
				if took := time.Since(began); took > 0 {
					t.Fatalf("%s went by", took)
				}
				if r, err := v.Rotation(t.Context(), vaulttest.Admin); err != nil || r.Finished == nil || r.Compacting {
					t.Errorf("%+v, %v", r, err)
				}
				after, err := os.ReadFile(db.Path())
				want(t, err, nil)
				if n := wrapsLeft(t, before, after); n > 0 {
					t.Errorf("%d old wraps are still in the file", n)
				}
			})
		})
	}
}

// Where the vault keeps house, that finishes a rotation, also if nobody waits for it
// any more.
func TestRunFinishesRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		keep(t, v, "", "key", "value 1")
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { want(t, v.Run(ctx), nil) })
		synctest.Wait()
		if _, err := v.RotateKEK(ctx, vaulttest.Admin, text("next"), opaque.Bytes{}); err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		want(t, v.FinishRotation(gone), context.Canceled)
		want(t, v.FinishRotation(ctx), nil)
		if r, err := v.Rotation(ctx, vaulttest.Admin); err != nil || r.Finished == nil || r.Compacting {
			t.Errorf("%+v, %v", r, err)
		}
		readAll(t, v, 1)
		stop()
		running.Wait()
	})
}

func readAll(t *testing.T, v *vault.Vault, n int) {
	t.Helper()
	all, err := v.Secrets(t.Context(), vaulttest.Admin, vault.SecretFilter{})
	if err != nil || len(all) != n {
		t.Fatalf("%d secrets, %v", len(all), err)
	}
	for _, s := range all {
		_, value, err := v.ReadSecret(t.Context(), vaulttest.Admin, s.ID)
		if err != nil || !strings.HasPrefix(string(value.Reveal()), "value ") {
			t.Fatalf("%s: %v", s.Path, err)
		}
	}
}

// Reads and writes beside a rotation see nothing of it.
func TestRotateUnderLoad(t *testing.T) {
	v, h, s, bearer := ready(t)
	for i := range 400 {
		keep(t, v, "", fmt.Sprintf("s%03d", i), "value")
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			next := text(fmt.Sprint("value ", i))
			if _, err := v.UpdateSecret(context.Background(), vaulttest.Admin, s.ID, vault.SecretChange{Value: &next}); err != nil {
				t.Errorf("writing: %v", err)
				return
			}
		}
	})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := h.fetch("app", bearer); err != nil || !strings.HasPrefix(got["KEY"], "value") {
					t.Errorf("fetching: %v, %v", got, err)
					return
				}
			}
		})
	}
	for i := range 3 {
		rotated(t, v, fmt.Sprint("password ", i))
	}
	close(stop)
	wg.Wait()
	intact(t, v)
}

// Who may rotate and split: super, with the operator's password if it is an
// account, and a second person where two are needed.
func TestWhoMayTouchKeys(t *testing.T) {
	v := vaulttest.On(t, storetest.New(t), vault.Config{TwoPerson: true})
	ctx := t.Context()
	manager := account(t, v, "manager", access.Manager)
	one, two := superAccounts(t, v)
	operator := vaulttest.Password()
	for name, try := range map[string]func(by access.Caller, current opaque.Bytes) error{
		"rotate": func(by access.Caller, current opaque.Bytes) error {
			_, err := v.RotateKEK(ctx, by, text("next"), current)
			return err
		},
		"split": func(by access.Caller, current opaque.Bytes) error {
			_, err := v.SplitKey(ctx, by, 2, 3, current)
			return err
		},
	} {
		want(t, try(manager, operator), vault.ErrDenied)
		want(t, try(one, opaque.Bytes{}), vault.ErrWrongPassword)
		want(t, try(one, text("wrong")), vault.ErrWrongPassword)
		want(t, try(vaulttest.Admin, text("wrong")), vault.ErrWrongPassword)
		if got := actions(t, v, 1); !strings.Contains(got[0], "wrong_password") {
			t.Errorf("%s: recorded %v", name, got)
		}
	}
	// The split first: after the rotation there is another operator's password.
	_, err := v.SplitKey(ctx, one, 2, 3, operator)
	asked, ok := errors.AsType[*vault.ConfirmationError](err)
	if !ok {
		t.Fatal(err)
	}
	_, err = v.Confirm(ctx, one, asked.ID)
	want(t, err, vault.ErrDenied)
	_, err = v.Confirm(ctx, two, asked.ID)
	want(t, err, nil)
	_, err = v.SplitKey(ctx, one, 2, 4, operator)
	if _, ok := errors.AsType[*vault.ConfirmationError](err); !ok {
		t.Errorf("another split was confirmed: %v", err)
	}
	shares, err := v.SplitKey(ctx, one, 2, 3, operator)
	if err != nil || len(shares) != 3 {
		t.Errorf("%d, %v", len(shares), err)
	}
	_, err = v.RotateKEK(ctx, one, text("next"), operator)
	if asked, ok = errors.AsType[*vault.ConfirmationError](err); !ok {
		t.Fatal(err)
	}
	_, err = v.Confirm(ctx, vaulttest.Admin, asked.ID)
	want(t, err, nil)
	_, err = v.RotateKEK(ctx, one, text("next"), operator)
	want(t, err, nil)
	intact(t, v)
}

func TestChangePassword(t *testing.T) {
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{})
	ctx := t.Context()
	shares, err := v.SplitKey(ctx, vaulttest.Admin, 2, 2, opaque.Bytes{})
	want(t, err, nil)
	want(t, v.ChangePassword(ctx, vaulttest.Admin, text("wrong"), text("next")), vault.ErrWrongPassword)
	want(t, v.ChangePassword(ctx, vaulttest.Admin, opaque.Bytes{}, text("next")), vault.ErrWrongPassword)
	wantInvalid(t, v.ChangePassword(ctx, vaulttest.Admin, vaulttest.Password(), opaque.Bytes{}), "new_password")
	want(t, v.ChangePassword(ctx, vaulttest.Admin, vaulttest.Password(), text("next")), nil)
	want(t, v.ChangePassword(ctx, vaulttest.Admin, vaulttest.Password(), text("again")), vault.ErrWrongPassword)
	keep(t, v, "", "key", "value 1")
	want(t, v.Close(), nil)
	if _, err := reopened(t, db, "correct horse battery staple"); !errors.Is(err, vault.ErrWrongPassword) {
		t.Errorf("the old password: %v", err)
	}
	v, err = reopened(t, db, "next")
	want(t, err, nil)
	readAll(t, v, 1)
	want(t, v.Close(), nil)
	// One slot was rewritten; the other opens as before.
	v = recovered(t, db, shares)
	readAll(t, v, 1)
}

// recovered opens the file of a vault with shares.
func recovered(t *testing.T, db *store.DB, shares []opaque.Bytes) *vault.Vault {
	t.Helper()
	v := vault.New(vault.Config{DB: db, Params: vaulttest.Cheap})
	t.Cleanup(func() { v.Close() })
	var set vault.ShareSet
	for _, s := range shares {
		want(t, v.AddShare(t.Context(), &set, s), nil)
	}
	want(t, v.Recover(t.Context(), &set), nil)
	return v
}

func TestRecovery(t *testing.T) {
	db, foreign := storetest.New(t), vaulttest.New(t)
	v := vaulttest.On(t, db, vault.Config{})
	ctx := t.Context()
	keep(t, v, "", "key", "value 1")
	void, err := v.SplitKey(ctx, vaulttest.Admin, 2, 2, opaque.Bytes{})
	want(t, err, nil)
	void = cloned(void)
	shares, err := v.SplitKey(ctx, vaulttest.Admin, 3, 5, opaque.Bytes{})
	want(t, err, nil)
	shares = cloned(shares)
	others, err := foreign.SplitKey(ctx, vaulttest.Admin, 2, 2, opaque.Bytes{})
	want(t, err, nil)
	_, err = v.SplitKey(ctx, vaulttest.Admin, 1, 5, opaque.Bytes{})
	wantInvalid(t, err, "threshold")
	want(t, v.Close(), nil)

	v = vault.New(vault.Config{DB: db, Params: vaulttest.Cheap})
	t.Cleanup(func() { v.Close() })
	var set vault.ShareSet
	mistyped := cloned(shares[:1])[0]
	mistyped.Reveal()[50] ^= 1
	misfit := func(n int, share opaque.Bytes, reason string) {
		t.Helper()
		err := v.AddShare(ctx, &set, share)
		if e, ok := errors.AsType[*vault.ShareError](err); !ok || e.N != n || !strings.Contains(e.Reason, reason) {
			t.Errorf("got %v, want share %d: %s", err, n, reason)
		}
	}
	misfit(1, mistyped, "mistyped")
	misfit(1, text("hello"), "mistyped")
	misfit(1, others[0], "another vault")
	misfit(1, void[0], "void")
	want(t, v.AddShare(ctx, &set, shares[4]), nil)
	misfit(2, shares[4], "before")
	if set.Missing() != 2 {
		t.Errorf("%d are missing", set.Missing())
	}
	if err := v.Recover(ctx, &set); err == nil {
		t.Error("one share was enough")
	}
	want(t, v.AddShare(ctx, &set, shares[0]), nil)
	want(t, v.AddShare(ctx, &set, shares[2]), nil)
	want(t, v.Recover(ctx, &set), nil)
	set.Wipe()
	if !v.Recovered() {
		t.Error("it does not know")
	}
	if got := actions(t, v, 1); got[0] != "recovery_boot alarm" {
		t.Errorf("%v", got)
	}
	readAll(t, v, 1)
	// Now anybody who may sets a password without knowing one; once.
	manager := account(t, v, "manager", access.Manager)
	want(t, v.ChangePassword(ctx, manager, opaque.Bytes{}, text("next")), vault.ErrDenied)
	want(t, v.ChangePassword(ctx, vaulttest.Admin, opaque.Bytes{}, text("next")), nil)
	want(t, v.ChangePassword(ctx, vaulttest.Admin, opaque.Bytes{}, text("again")), vault.ErrWrongPassword)
	want(t, v.Close(), nil)
	if _, err := reopened(t, db, "correct horse battery staple"); !errors.Is(err, vault.ErrWrongPassword) {
		t.Errorf("the forgotten password: %v", err)
	}
	v, err = reopened(t, db, "next")
	want(t, err, nil)
	// A rotation voids the shares.
	rotated(t, v, "rotated")
	want(t, v.Close(), nil)
	set = vault.ShareSet{}
	misfit(1, shares[0], "void")
}

func cloned(all []opaque.Bytes) (out []opaque.Bytes) {
	for _, b := range all {
		out = append(out, opaque.New(bytes.Clone(b.Reveal())))
	}
	return out
}

func TestSeal(t *testing.T) {
	v, h, _, bearer := ready(t)
	manager := account(t, v, "manager", access.Manager)
	want(t, v.Seal(t.Context(), manager), vault.ErrDenied)
	want(t, v.Seal(t.Context(), vaulttest.Admin), nil)
	_, err := h.fetch("app", bearer)
	want(t, err, vault.ErrSealed)
	want(t, v.Seal(t.Context(), vaulttest.Admin), vault.ErrSealed)
	want(t, v.Unseal(t.Context(), text("wrong")), vault.ErrWrongPassword)
	want(t, v.Unseal(t.Context(), vaulttest.Password()), nil)
	if got, err := h.fetch("app", bearer); got["KEY"] != "value" {
		t.Errorf("%v, %v", got, err)
	}
	if !slices.Contains(actions(t, v, 5), "vault_seal success") {
		t.Errorf("%v", actions(t, v, 5))
	}
	intact(t, v)
}

func TestRotateSigningKey(t *testing.T) {
	v, h, _, _ := ready(t)
	q := h.ask("app", "KEY")
	q.Regenerate, q.SignedToken = true, true
	res, err := h.send(q)
	want(t, err, nil)
	old := signingKID(t, v)
	next, err := v.RotateSigningKey(t.Context(), vaulttest.Admin)
	want(t, err, nil)
	keys, err := v.JWKS(t.Context())
	if err != nil || len(keys) != 2 || keys[0].KID != next.KID || keys[1].KID != old || next.KID == old {
		t.Errorf("%+v, %v", keys, err)
	}
	if got, err := h.fetch("app", []byte(*res.Signed)); got["KEY"] != "value" {
		t.Errorf("what the old key signed: %v, %v", got, err)
	}
	q = h.ask("app", "KEY")
	q.Regenerate, q.SignedToken = true, true
	res, err = h.send(q)
	want(t, err, nil)
	if got, err := h.fetch("app", []byte(*res.Signed)); got["KEY"] != "value" {
		t.Errorf("what the new key signed: %v, %v", got, err)
	}
	rotated(t, v, "next")
	if keys, err := v.JWKS(t.Context()); err != nil || len(keys) != 2 {
		t.Errorf("%+v, %v", keys, err)
	}
	for range 40 {
		if _, err := v.RotateSigningKey(t.Context(), vaulttest.Admin); err != nil {
			t.Fatal(err)
		}
	}
	if keys, err := v.JWKS(t.Context()); err != nil || len(keys) != 32 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	_, err = v.RotateSigningKey(t.Context(), account(t, v, "manager", access.Manager))
	want(t, err, vault.ErrDenied)
}

// A secret that is destroyed is gone from the file, and not only from its pages
// in use.
func TestDestroyCompacts(t *testing.T) {
	wantCompacted(t, func(v *vault.Vault, s vault.Secret) error {
		_, err := v.DestroySecret(t.Context(), vaulttest.Admin, s.ID)
		return err
	})
}

// So is one that was deleted and whose time is over.
func TestPurgeCompacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wantCompacted(t, func(v *vault.Vault, s vault.Secret) error {
			if err := v.DeleteSecret(t.Context(), vaulttest.Admin, s.ID); err != nil {
				return err
			}
			time.Sleep(31 * day)
			keepHouse(t, v) // destroys it
			keepHouse(t, v) // compacts
			return nil
		})
	})
}

// wantCompacted fails the test unless destroying one of two secrets makes the keys in the
// file fewer.
func wantCompacted(t *testing.T, destroy func(*vault.Vault, vault.Secret) error) {
	t.Helper()
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{})
	keep(t, v, "", "stays", "value")
	s := keep(t, v, "", "goes", "value")
	before, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	all := wrapsLeft(t, before, before)
	if err := destroy(v, s); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	if left := wrapsLeft(t, before, after); left >= all {
		t.Errorf("%d of %d wrapped keys are still in the file", left, all)
	}
	readAllNamed(t, v, 1)
}

func readAllNamed(t *testing.T, v *vault.Vault, n int) {
	t.Helper()
	all, err := v.Secrets(t.Context(), vaulttest.Admin, vault.SecretFilter{})
	if err != nil || len(all) != n {
		t.Fatalf("%d secrets, %v", len(all), err)
	}
	for _, s := range all {
		if _, _, err := v.ReadSecret(t.Context(), vaulttest.Admin, s.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// A secret that is destroyed in the middle of a rotation has the file compacted,
// which leaves the wraps there that are yet to be made anew. They are gone at the
// end all the same.
func TestRotationCompactsAfterADestroy(t *testing.T) {
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{})
	for i := range 200 {
		keep(t, v, "", fmt.Sprintf("s%03d", i), fmt.Sprint("value ", i))
	}
	s := keep(t, v, "", "doomed", "value")
	before, err := os.ReadFile(db.Path())
	want(t, err, nil)
	_, err = v.RotateKEK(t.Context(), vaulttest.Admin, text("next"), opaque.Bytes{})
	want(t, err, nil)
	_, err = v.DestroySecret(t.Context(), vaulttest.Admin, s.ID)
	want(t, err, nil)
	if after, err := os.ReadFile(db.Path()); err != nil || wrapsLeft(t, before, after) == 0 {
		t.Fatalf("nothing is left to be wrapped anew: %v", err)
	}
	want(t, v.FinishRotation(t.Context()), nil)
	after, err := os.ReadFile(db.Path())
	want(t, err, nil)
	if n := wrapsLeft(t, before, after); n > 0 {
		t.Errorf("%d old wraps are still in the file", n)
	}
}
