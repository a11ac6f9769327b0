package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

var (
	testAdmin  = access.Caller{Kind: access.Admin, Role: access.Super, Name: "admin", Auth: "admin-token"}
	testParams = keyring.Params{Memory: 8 << 10, Time: 1, Threads: 1}
)

func testPassword() opaque.Bytes { return opaque.New([]byte("password")) }

// newTestVault returns an unsealed vault with the secrets a and b.
func newTestVault(t *testing.T) (*Vault, *store.DB, [2]Secret) {
	t.Helper()
	db := storetest.New(t)
	v := New(Config{DB: db, Params: testParams})
	if err := v.Init(t.Context(), testPassword()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	var made [2]Secret
	for i, path := range []string{"a", "b"} {
		s, err := v.CreateSecret(t.Context(), testAdmin, NewSecret{Path: path, Type: KeyValue, Value: opaque.New([]byte("value of " + path))})
		if err != nil {
			t.Fatal(err)
		}
		made[i] = s
	}
	return v, db, made
}

// edit changes the store behind the vault's back, as somebody could who has
// the row key but not the KEK.
func edit(t *testing.T, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// moveWrap puts the wrap of one version in the place of another's.
func moveWrap(tx *store.Tx, to, from secretValueRow) error {
	wrap, err := secretWraps.Get(tx, from.Key())
	if err != nil {
		return err
	}
	return secretWraps.Put(tx, to.Key(), bytes.Clone(wrap))
}

// A ciphertext opens where it was sealed and nowhere else.
func TestCiphertextsDoNotMove(t *testing.T) {
	for name, move := range map[string]func(tx *store.Tx, a, b secretValueRow) error{
		"another row": func(tx *store.Tx, a, b secretValueRow) error {
			a.Nonce, a.Body = b.Nonce, b.Body
			return errors.Join(secretValues.Put(tx, a), moveWrap(tx, a, b))
		},
		"another version": func(tx *store.Tx, a, _ secretValueRow) error {
			row, err := secrets.Get(tx, store.Key(a.ID))
			if err != nil {
				return err
			}
			first := a
			row.Version, a.Version = 2, 2
			return errors.Join(secrets.Put(tx, row), secretValues.Put(tx, a), moveWrap(tx, a, first))
		},
		"another bucket": func(tx *store.Tx, a, _ secretValueRow) error {
			for k, err := range signingKeys.All(tx, "") {
				if err != nil {
					return err
				}
				a.Nonce, a.Body = k.Seed.Nonce, k.Seed.Body
				if err := secretWraps.Put(tx, a.Key(), k.Seed.Wrap()); err != nil {
					return err
				}
			}
			return secretValues.Put(tx, a)
		},
		"another body": func(tx *store.Tx, a, b secretValueRow) error {
			a.Body = b.Body
			return secretValues.Put(tx, a)
		},
		"another DEK": func(tx *store.Tx, a, b secretValueRow) error {
			return moveWrap(tx, a, b)
		},
		"another KEK version": func(tx *store.Tx, a, _ secretValueRow) error {
			wrap, err := secretWraps.Get(tx, a.Key())
			if err != nil {
				return err
			}
			wrap = bytes.Clone(wrap)
			wrap[3]++
			return secretWraps.Put(tx, a.Key(), wrap)
		},
		"a wrap cut short": func(tx *store.Tx, a, _ secretValueRow) error {
			return secretWraps.Put(tx, a.Key(), []byte{0, 0, 0, 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, db, made := newTestVault(t)
			edit(t, db, func(tx *store.Tx) error {
				a, err := secretValues.Get(tx, valueKey(made[0].ID, 1))
				if err != nil {
					return err
				}
				b, err := secretValues.Get(tx, valueKey(made[1].ID, 1))
				if err != nil {
					return err
				}
				return move(tx, a, b)
			})
			_, value, err := v.ReadSecret(t.Context(), testAdmin, made[0].ID)
			if !errors.Is(err, keyring.ErrOpen) || !value.IsZero() {
				t.Errorf("got %v", err)
			}
			if _, ok := refusal(err); ok {
				t.Errorf("told the caller %v", err)
			}
		})
	}
}

// A version opens as the version it is, of the secret it is of. Neither reading it
// nor bringing it back gets around that.
func TestVersionsDoNotMove(t *testing.T) {
	for name, move := range map[string]func(tx *store.Tx, a, b [2]secretValueRow) error{
		"the old one in the new one's place": func(tx *store.Tx, a, _ [2]secretValueRow) error {
			a[1].Nonce, a[1].Body = a[0].Nonce, a[0].Body
			return errors.Join(secretValues.Put(tx, a[1]), moveWrap(tx, a[1], a[0]))
		},
		"the new one in the old one's place": func(tx *store.Tx, a, _ [2]secretValueRow) error {
			a[0].Nonce, a[0].Body = a[1].Nonce, a[1].Body
			return errors.Join(secretValues.Put(tx, a[0]), moveWrap(tx, a[0], a[1]))
		},
		"another secret's version": func(tx *store.Tx, a, b [2]secretValueRow) error {
			theirs := b
			b[0].ID, b[1].ID = a[0].ID, a[1].ID
			return errors.Join(
				secretValues.Put(tx, b[0]), moveWrap(tx, b[0], theirs[0]), secretValues.Put(tx, b[1]), moveWrap(tx, b[1], theirs[1]),
			)
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, db, made := newTestVault(t)
			next := opaque.New([]byte("second"))
			for _, s := range made {
				if _, err := v.UpdateSecret(t.Context(), testAdmin, s.ID, SecretChange{Value: &next}); err != nil {
					t.Fatal(err)
				}
			}
			edit(t, db, func(tx *store.Tx) error {
				var rows [2][2]secretValueRow
				for i, s := range made {
					for n := range rows[i] {
						var err error
						if rows[i][n], err = secretValues.Get(tx, valueKey(s.ID, uint64(n+1))); err != nil {
							return err
						}
					}
				}
				return move(tx, rows[0], rows[1])
			})
			moved := 0
			for version := range uint64(2) {
				_, value, err := v.ReadSecretVersion(t.Context(), testAdmin, made[0].ID, version+1)
				if err == nil {
					value.Wipe()
					continue
				}
				if !errors.Is(err, keyring.ErrOpen) || !value.IsZero() {
					t.Errorf("got %v", err)
				}
				if _, err := v.RollbackSecret(t.Context(), testAdmin, made[0].ID, Rollback{Version: version + 1}); !errors.Is(err, keyring.ErrOpen) {
					t.Errorf("brought back: %v", err)
				}
				moved++
			}
			if moved == 0 {
				t.Error("every version opens")
			}
		})
	}
}

// A destroyed secret leaves no envelope behind, nor does a pruned version.
func TestNothingIsLeftOfWhatWasDestroyed(t *testing.T) {
	v, db, made := newTestVault(t)
	next := opaque.New([]byte("second"))
	for _, s := range made {
		if _, err := v.UpdateSecret(t.Context(), testAdmin, s.ID, SecretChange{Value: &next, MaxVersions: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.DestroySecret(t.Context(), testAdmin, made[0].ID); err != nil {
		t.Fatal(err)
	}
	edit(t, db, func(tx *store.Tx) error {
		rows, err := gather(secretValues.All(tx, ""))
		if err == nil && (len(rows) != 1 || rows[0].ID != made[1].ID || rows[0].Version != 2) {
			t.Errorf("left %d rows", len(rows))
		}
		return err
	})
}

// The end of the audit trail is checked before the vault opens, and before
// every entry.
func TestAuditEndIsGuarded(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(tx *store.Tx, older headRow) error
	}{
		"head gone":        {func(tx *store.Tx, _ headRow) error { return heads.Delete(tx, headKey) }},
		"head made up":     {func(tx *store.Tx, h headRow) error { h.Head[20] ^= 1; return heads.Put(tx, h) }},
		"older head":       {func(tx *store.Tx, h headRow) error { return heads.Put(tx, h) }},
		"trail and no end": {func(tx *store.Tx, _ headRow) error { _, err := entries.DeleteThrough(tx, 1<<62, 1<<30); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			v, db, made := newTestVault(t)
			var older headRow
			edit(t, db, func(tx *store.Tx) (err error) { older, err = heads.Get(tx, headKey); return err })
			if err := v.DeleteSecret(t.Context(), testAdmin, made[1].ID); err != nil {
				t.Fatal(err)
			}
			edit(t, db, func(tx *store.Tx) error { return c.tamper(tx, older) })
			if _, _, err := v.ReadSecret(t.Context(), testAdmin, made[0].ID); err == nil {
				t.Error("a value left without a record")
			}
			again := New(Config{DB: db, Params: testParams})
			if err := again.Unseal(t.Context(), testPassword()); !errors.Is(err, ErrAuditBroken) {
				t.Errorf("unsealing: %v", err)
			}
			report, err := again.VerifyAuditWith(t.Context(), testPassword(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if report.Broken == nil {
				t.Error("the verification finds nothing")
			}
		})
	}
}

// Each way to change the trail is found, and named.
func TestVerifyAuditNamesTheRow(t *testing.T) {
	v, db, _ := newTestVault(t)
	var all []store.Record
	edit(t, db, func(tx *store.Tx) (err error) { all, err = gather(entries.All(tx, 0)); return err })
	if len(all) < 3 {
		t.Fatalf("%d entries", len(all))
	}
	rewrite := func(records []store.Record) func(tx *store.Tx) error {
		return func(tx *store.Tx) error {
			if _, err := entries.DeleteThrough(tx, 1<<62, 1<<30); err != nil {
				return err
			}
			for _, r := range records {
				if err := entries.Append(tx, r.Seq, r.Value); err != nil {
					return err
				}
			}
			return nil
		}
	}
	flipped := append([]byte{}, all[1].Value...)
	flipped[30] ^= 1
	for name, c := range map[string]struct {
		records []store.Record
		seq     uint64
	}{
		"flipped":      {[]store.Record{all[0], {Seq: 2, Value: flipped}, all[2]}, 2},
		"re-dated":     {[]store.Record{all[0], {Seq: 2, Value: redated(t, all[1].Value, false)}, all[2]}, 2},
		"and rehashed": {[]store.Record{all[0], all[1], {Seq: 3, Value: redated(t, all[2].Value, true)}}, 3},
		"dropped":      {[]store.Record{all[0], all[2]}, 2},
		"swapped":      {[]store.Record{all[0], {Seq: 2, Value: all[2].Value}, {Seq: 3, Value: all[1].Value}}, 2},
		"cut off":      {all[:2], 3},
		"beheaded":     {all[1:], 1},
		"wiped":        {nil, 1},
		"unparseable":  {[]store.Record{all[0], {Seq: 2, Value: []byte("x")}, all[2]}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			edit(t, db, rewrite(c.records))
			unkeyed := func(ctx context.Context) (audit.Report, error) { return v.VerifyAuditUnkeyed(ctx, nil) }
			for kind, verify := range map[string]func(context.Context) (audit.Report, error){"keyed": v.VerifyAudit, "unkeyed": unkeyed} {
				report, err := verify(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if report.Broken == nil || report.Broken.Seq != c.seq {
					t.Errorf("%s: got %+v, want record %d", kind, report.Broken, c.seq)
				}
			}
		})
	}
	edit(t, db, rewrite(all))
	if report, err := v.VerifyAudit(t.Context()); err != nil || report.Broken != nil {
		t.Errorf("got %+v, %v", report, err)
	}
}

// redated returns a record as if it had happened an hour later, as somebody
// would write it who lacks the key of the MAC, with the row hash that it has then
// or the one that it had.
func redated(t *testing.T, record []byte, rehash bool) []byte {
	t.Helper()
	r, err := audit.ParseRecord(record)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Entry()
	if err != nil {
		t.Fatal(err)
	}
	e.Time = e.Time.Add(time.Hour)
	r.Enc = e.Encode()
	if rehash {
		r.RowHash = sha256.Sum256(slices.Concat([]byte("cortex/audit/1"), r.PrevHash[:], r.Enc))
	}
	return r.Marshal()
}

// A slot or sealed key of another vault does not open here.
func TestKeysOfAnotherVault(t *testing.T) {
	v, db, _ := newTestVault(t)
	_, other, _ := newTestVault(t)
	var slot slotRow
	var key sealedKeyRow
	edit(t, other, func(tx *store.Tx) (err error) {
		for r, err := range slots.All(tx, "") {
			if err != nil {
				return err
			}
			slot = r
		}
		key, err = sealedKeys.Get(tx, useAudit)
		return err
	})
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, db, func(tx *store.Tx) error { return sealedKeys.Put(tx, key) })
	if err := New(Config{DB: db}).Unseal(t.Context(), testPassword()); !errors.Is(err, keyring.ErrOpen) {
		t.Errorf("another vault's audit key: %v", err)
	}
	edit(t, db, func(tx *store.Tx) error {
		for r, err := range slots.All(tx, "") {
			if err != nil {
				return err
			}
			if err := slots.Delete(tx, r.Key()); err != nil {
				return err
			}
		}
		return slots.Insert(tx, slot)
	})
	if err := New(Config{DB: db}).Unseal(t.Context(), testPassword()); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("another vault's slot: %v", err)
	}
}

func TestExhaustedKEKRefuses(t *testing.T) {
	v, db, made := newTestVault(t)
	edit(t, db, func(tx *store.Tx) error { return wraps.Put(tx, wrapRow{KEKVersion: 1, Count: wrapsMax}) })
	value := opaque.New([]byte("x"))
	_, err := v.UpdateSecret(t.Context(), testAdmin, made[0].ID, SecretChange{Value: &value})
	if !errors.Is(err, ErrKEKExhausted) {
		t.Errorf("got %v", err)
	}
	if _, _, err := v.ReadSecret(t.Context(), testAdmin, made[0].ID); err != nil {
		t.Errorf("reading: %v", err)
	}
}

// Many at once: one wins each name, the count of wraps is right, the trail
// stays whole.
func TestConcurrentWrites(t *testing.T) {
	v, db, _ := newTestVault(t)
	const writers, names = 32, 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for range writers {
		wg.Go(func() {
			for i := range names {
				path := fmt.Sprintf("shared/%d", i)
				_, err := v.CreateSecret(context.Background(), testAdmin, NewSecret{Path: path, Type: KeyValue, Value: opaque.New([]byte("x"))})
				if err == nil {
					mu.Lock()
					won[path]++
					mu.Unlock()
				} else if !errors.Is(err, ErrExists) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for path, n := range won {
		if n != 1 {
			t.Errorf("%s was created %d times", path, n)
		}
	}
	if len(won) != names {
		t.Errorf("%d names", len(won))
	}
	edit(t, db, func(tx *store.Tx) error {
		w, err := wraps.Get(tx, wrapKey)
		if want := uint64(wrapsAtInit + 2 + names); err == nil && w.Count != want {
			t.Errorf("%d wraps counted, want %d", w.Count, want)
		}
		return err
	})
	if report, err := v.VerifyAudit(context.Background()); err != nil || report.Broken != nil {
		t.Errorf("got %+v, %v", report, err)
	}
}

// The KEK that is nearly used up is told of, and no sooner.
func TestNearlyExhaustedKEKIsTold(t *testing.T) {
	v, db, _ := newTestVault(t)
	var log bytes.Buffer
	v.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	for count, told := range map[uint64]bool{wrapsWarn - 1: false, wrapsWarn: true, wrapsMax: true} {
		edit(t, db, func(tx *store.Tx) error { return wraps.Put(tx, wrapRow{KEKVersion: 1, Count: count}) })
		log.Reset()
		if err := v.checkWraps(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "the key-encryption key is nearly used up"); got != told {
			t.Errorf("%d wraps: %q", count, &log)
		}
	}
}
