package vault_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e/logtest"
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit/note"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// signedHead returns a vault's head, after verifying it.
func signedHead(t *testing.T, v *vault.Vault) vault.SignedHead {
	t.Helper()
	h, err := v.SignedHead(t.Context(), vaulttest.Admin)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Parse([]byte(h.Note.String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Verify(h.Key); err != nil || n.VaultID != v.ID() {
		t.Fatalf("%s: %v", n, err)
	}
	return h
}

// copied returns a copy of the file of a vault that is closed now.
func copied(t *testing.T, v *vault.Vault, db *store.DB) string {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSignedHeadIsTheEnd(t *testing.T) {
	v := vaulttest.New(t)
	first := signedHead(t, v)
	if again := signedHead(t, v); again.Note.Seq != first.Note.Seq || again.Note.RowHash != first.Note.RowHash {
		t.Error("asking for the head changes the trail")
	}
	keep(t, v, "", "a", "value")
	next := signedHead(t, v)
	if next.Note.Seq != first.Note.Seq+1 || next.Note.RowHash == first.Note.RowHash {
		t.Errorf("%+v, then %+v", first.Note, next.Note)
	}
	for _, h := range []vault.SignedHead{first, next} {
		report, err := v.VerifyAuditFor(t.Context(), vaulttest.Admin, &vault.Since{Note: h.Note})
		if err != nil || report.Broken != nil || report.Last != next.Note.Seq {
			t.Errorf("since %d: %+v, %v", h.Note.Seq, report, err)
		}
	}
}

func TestWhoMaySeeHeads(t *testing.T) {
	v := vaulttest.New(t)
	admin := func(r access.Role, namespaces ...string) access.Caller {
		return access.Caller{Kind: access.Admin, Role: r, Name: "eve", Namespaces: namespaces}
	}
	for name, c := range map[string]struct {
		by access.Caller
		ok bool
	}{
		"auditor":          {admin(access.Auditor), true},
		"manager":          {admin(access.Manager), true},
		"approver":         {admin(access.Approver), false},
		"confined auditor": {admin(access.Auditor, "prod"), false},
		"agent":            {access.Caller{Kind: access.Agent}, false},
		"anonymous":        {access.Nobody(access.Origin{}), false},
	} {
		_, errHead := v.SignedHead(t.Context(), c.by)
		_, errVerify := v.VerifyAuditFor(t.Context(), c.by, nil)
		for _, err := range []error{errHead, errVerify} {
			if c.ok && err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !c.ok {
				want(t, err, vault.ErrDenied)
			}
		}
	}
}

// The key outlives restarts, rotations, of which one is under way, and backups.
func TestNoteKeyStays(t *testing.T) {
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{})
	first := signedHead(t, v)
	if _, err := v.RotateKEK(t.Context(), vaulttest.Admin, text("second"), opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	same := func(v *vault.Vault, when string) {
		t.Helper()
		h := signedHead(t, v)
		if h.Key.String() != first.Key.String() {
			t.Errorf("%s: another key", when)
		}
		if err := first.Note.Verify(h.Key); err != nil {
			t.Errorf("%s: the first head: %v", when, err)
		}
	}
	same(v, "during a rotation")
	file := copied(t, v, db)
	v, err := reopened(t, db, "second")
	if err != nil {
		t.Fatal(err)
	}
	same(v, "restarted during a rotation")
	if err := v.FinishRotation(t.Context()); err != nil {
		t.Fatal(err)
	}
	rotated(t, v, "third")
	same(v, "after two rotations")

	other := storetest.Open(t, file)
	v = vault.New(vault.Config{DB: other, Params: vaulttest.Cheap})
	if err := v.MarkRestored(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if v, err = reopened(t, other, "second"); err != nil {
		t.Fatal(err)
	}
	same(v, "restored")
}

// The log has the head whenever the vault begins and ends to be open, and
// each hour between, each in one line.
func TestHeadsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Log
		db := storetest.New(t)
		v := vaulttest.On(t, db, vault.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
		key := signedHead(t, v).Key
		logged := func(when string, n int) {
			t.Helper()
			synctest.Wait()
			count := 0
			for line := range strings.Lines(log.String()) {
				var entry struct {
					Level, Msg, Note string
					Seq              uint64
				}
				if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Msg != "audit head" {
					continue
				}
				count++
				head, err := note.Parse([]byte(entry.Note))
				if err != nil || head.Verify(key) != nil || head.Seq != entry.Seq || entry.Level != "INFO" {
					t.Errorf("%s: %s: %v", when, line, err)
				}
			}
			if count != n {
				t.Errorf("%s: %d heads in the log, want %d:\n%s", when, count, n, &log)
			}
		}
		logged("before the start", 0)
		if err := v.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		logged("started", 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- v.Run(ctx) }()
		time.Sleep(time.Hour - time.Second)
		logged("before the hour", 1)
		time.Sleep(2*time.Hour + 2*time.Second)
		logged("three hours", 4)
		if err := v.Seal(t.Context(), vaulttest.Admin); err != nil {
			t.Fatal(err)
		}
		logged("sealed", 5)
		time.Sleep(2 * time.Hour)
		logged("while sealed", 5)
		if err := v.Unseal(t.Context(), vaulttest.Password()); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-done
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		logged("closed", 6)
	})
}

// An older copy of the file is intact in itself; a head that was kept elsewhere
// shows what it is. So it does with a file written anew, and a cut one.
func TestOlderCopyIsFoundOut(t *testing.T) {
	ctx := t.Context()
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{})
	early := signedHead(t, v)
	keep(t, v, "", "a", "value")
	older := copied(t, v, db)
	v, err := reopened(t, db, string(vaulttest.Password().Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	keep(t, v, "", "b", "value")
	late := signedHead(t, v)
	newer := copied(t, v, db)
	look := func(file string, since *vault.Since) (broken string, err error) {
		db := storetest.Open(t, file)
		defer db.Close()
		v := vault.New(vault.Config{DB: db, Params: vaulttest.Cheap})
		report, err := v.VerifyAuditWith(ctx, vaulttest.Password(), since)
		unkeyed, errUnkeyed := v.VerifyAuditUnkeyed(ctx, &vault.Since{Note: since.Note, Key: new(late.Key)})
		if err == nil && (errUnkeyed != nil || (unkeyed.Broken == nil) != (report.Broken == nil)) {
			t.Errorf("without the password: %+v, %v", unkeyed, errUnkeyed)
		}
		if report.Broken != nil {
			broken = report.Broken.String()
		}
		return broken, err
	}
	for name, c := range map[string]struct {
		file string
		note note.Note
		bad  bool
	}{
		"early head, newer file": {newer, early.Note, false},
		"late head, newer file":  {newer, late.Note, false},
		"early head, older file": {older, early.Note, false},
		"late head, older file":  {older, late.Note, true},
	} {
		broken, err := look(c.file, &vault.Since{Note: c.note})
		if err != nil || (broken != "") != c.bad {
			t.Errorf("%s: %q, %v", name, broken, err)
		}
	}
	// Heads that prove nothing.
	foreign := signedHead(t, vaulttest.New(t))
	if _, err := look(newer, &vault.Since{Note: foreign.Note}); err == nil {
		t.Error("the head of another vault is compared")
	}
	forged := late.Note
	forged.Seq--
	_, err = look(newer, &vault.Since{Note: forged})
	want(t, err, note.ErrNotSigned)
	_, err = look(newer, &vault.Since{Note: late.Note, Key: &note.Key{VaultID: late.Key.VaultID, Public: foreign.Key.Public}})
	want(t, err, note.ErrNotSigned)

	opened := storetest.Open(t, newer)
	v = vault.New(vault.Config{DB: opened, Params: vaulttest.Cheap})
	if _, err := v.VerifyAuditUnkeyed(ctx, &vault.Since{Note: late.Note}); err == nil {
		t.Error("a head is believed without any key")
	}
	if err := v.Unseal(ctx, vaulttest.Password()); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	_, err = v.VerifyAuditFor(ctx, vaulttest.Admin, &vault.Since{Note: forged})
	wantInvalid(t, err, "since_head")
}
