package redteam

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/cortex-auth/cortex/vault/proof"
)

var rowMoves = moves{
	"changed-row":  changedRow,
	"moved-row":    movedRow,
	"deleted-row":  deletedRow,
	"older-row":    olderRow,
	"absurd-costs": absurdCosts,
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(key ed25519.PrivateKey) string {
	return proof.EncodeKey(key.Public().(ed25519.PublicKey))
}

// Another key for an agent, a policy that denies nothing, an account of one's own.
func changedRow(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	variable, _, value := s.secret(t)
	a, app := s.agent(t), named("app")
	token := a.Obtain(t, app, variable).Token
	if !fetched(t, a, app, token, value) {
		t.Fatal("nothing is delivered to begin with")
	}
	s.Admin(t, http.MethodPost, "/admin/policies", object{"policy_name": "no", "agent_pattern": "*", "allowed_paths": []string{}, "denied_paths": []string{"*"}}, nil)
	if fetched(t, a, app, token, value) {
		t.Fatal("the policy denies nothing")
	}
	s.account(t, "admin")
	s.stop(t)
	whole := read(t, s.file())
	thief := *a
	thief.Key = newKey(t)
	users := func() string { return string(s.TryAdmin(t, http.MethodGet, "/admin/users", nil).Body) }
	for _, change := range []struct {
		bucket string
		row    func(key []byte, row map[int]any) bool
		went   func() bool
	}{
		{"policy", func(_ []byte, row map[int]any) bool { delete(row, 6); return true }, func() bool {
			return bytes.Contains(a.Fetch(t, app, token).Body, []byte(value))
		}},
		{"agent", func(_ []byte, row map[int]any) bool {
			row[4] = []byte(thief.Key.Public().(ed25519.PublicKey))
			return true
		}, func() bool {
			return strings.Contains(string(thief.Send(t, thief.Discovery(named("app"), variable)).Body), "pending")
		}},
		{"user", func(_ []byte, row map[int]any) bool { row[3] = "super"; return true }, func() bool { return strings.Contains(users(), "super") }},
	} {
		s.put(t, whole)
		s.edit(t, func(tx *bolt.Tx) error { return rows(tx, change.bucket, tagSize, change.row) })
		s.serve(t)
		if change.went() {
			t.Logf("a row of %s was changed", change.bucket)
			return open
		}
		s.program.Kill()
	}
	s.put(t, whole)
	s.edit(t, func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("user"))
		_, row := b.Cursor().First()
		return b.Put([]byte("00000000-0000-4000-8000-000000000000"), bytes.Clone(row))
	})
	s.serve(t)
	if strings.HasPrefix(users(), "[") {
		return open
	}
	s.program.Kill()
	s.put(t, whole)
	s.serve(t)
	var list []struct{ ID string }
	s.Admin(t, http.MethodGet, "/admin/policies", nil, &list)
	s.Admin(t, http.MethodDelete, "/admin/policies/"+list[0].ID, nil, nil)
	if !fetched(t, a, app, token, value) || !strings.HasPrefix(users(), "[") {
		t.Fatal("without a change it does not work either")
	}
	return stopped
}

// The value of a secret that is nobody's, in the place of one that is granted: by
// itself, with the key that it is sealed under, and as the version of another.
func movedRow(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	a, app, token, granted, value := s.entrusted(t)
	_, other, prize := s.secret(t)
	next := canary()
	s.Admin(t, http.MethodPut, "/admin/secrets/"+granted, object{"value": next}, nil)
	s.stop(t)
	whole := read(t, s.file())
	version := func(id string, n int) []byte { return fmt.Appendf(nil, "%s\x00%020d", id, n) }
	move := func(tx *bolt.Tx, to, from []byte, buckets ...string) error {
		for _, name := range buckets {
			b := tx.Bucket([]byte(name))
			row := bytes.Clone(b.Get(from))
			if row == nil || b.Get(to) == nil {
				return fmt.Errorf("no such row in %s", name)
			}
			if err := b.Put(to, row); err != nil {
				return err
			}
		}
		return nil
	}
	for name, change := range map[string]func(tx *bolt.Tx) error{
		"rows": func(tx *bolt.Tx) error {
			return move(tx, version(granted, 2), version(other, 1), "secret_value", "secret_wrap")
		},
		"keys": func(tx *bolt.Tx) error { return move(tx, version(granted, 2), version(other, 1), "secret_wrap") },
		"an older version": func(tx *bolt.Tx) error {
			return move(tx, version(granted, 2), version(granted, 1), "secret_value", "secret_wrap")
		},
		"ciphertexts": func(tx *bolt.Tx) error {
			var body, nonce any
			err := rows(tx, "secret_value", tagSize, func(key []byte, row map[int]any) bool {
				if bytes.HasPrefix(key, []byte(other)) {
					nonce, body = row[9], row[10]
				}
				return true
			})
			return errors.Join(err, move(tx, version(granted, 2), version(other, 1), "secret_wrap"), rows(tx, "secret_value", tagSize, func(key []byte, row map[int]any) bool {
				row[9], row[10] = nonce, body
				return bytes.Equal(key, version(granted, 2))
			}))
		},
	} {
		s.put(t, whole)
		s.edit(t, change)
		s.serve(t)
		got := string(a.Fetch(t, app, token).Body)
		if strings.Contains(got, prize) || strings.Contains(got, value) {
			t.Logf("%s can be moved", name)
			return open
		}
		s.program.Kill()
	}
	s.put(t, whole)
	s.serve(t)
	if !fetched(t, a, app, token, next) {
		t.Fatal("without a change it does not work either")
	}
	return stopped
}

// A freeze that is not there any more.
func deletedRow(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	a, app, token, _, value := s.entrusted(t)
	s.Admin(t, http.MethodPost, "/admin/freeze", object{"kind": "agent", "name": a.ID}, nil)
	if fetched(t, a, app, token, value) {
		t.Fatal("the freeze is none")
	}
	s.stop(t)
	s.edit(t, func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("freeze"))
		key, _ := b.Cursor().First()
		return b.Delete(key)
	})
	s.serve(t)
	return unless(fetched(t, a, app, token, value), stopped)
}

// A token as it was before it was revoked.
func olderRow(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	a, app, token, _, value := s.entrusted(t)
	s.stop(t)
	var key, older []byte
	s.edit(t, func(tx *bolt.Tx) error {
		k, v := tx.Bucket([]byte("project_token")).Cursor().First()
		key, older = bytes.Clone(k), bytes.Clone(v)
		return nil
	})
	s.serve(t)
	s.Admin(t, http.MethodPost, "/admin/projects/"+app+"/revoke", nil, nil)
	if fetched(t, a, app, token, value) {
		t.Fatal("the token is not revoked")
	}
	s.stop(t)
	s.edit(t, func(tx *bolt.Tx) error { return tx.Bucket([]byte("project_token")).Put(key, older) })
	s.serve(t)
	return unless(fetched(t, a, app, token, value), stopped)
}

// A slot whose password would take terabytes of memory to try.
func absurdCosts(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	s.stop(t)
	whole := read(t, s.file())
	for _, cost := range []map[int]any{{1: 1 << 31, 2: 3, 3: 4}, {1: 64 << 10, 2: 1 << 31, 3: 4}, {1: 4 << 20, 2: 1, 3: 4}, {1: 8 << 10, 2: 1, 3: 255}} {
		s.put(t, whole)
		s.edit(t, func(tx *bolt.Tx) error {
			return rows(tx, "slot", 0, func(_ []byte, row map[int]any) bool {
				row[1].(map[any]any)[uint64(5)] = cost
				return true
			})
		})
		if s.launch() == nil {
			s.program.Kill()
			return open
		}
		if used := s.program.Cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; used > 2<<20 { // KiB; what this process had when it forked counts, too
			t.Logf("it took %d KiB before it said %s", used, s.program.Log())
			return open
		}
	}
	s.put(t, whole)
	s.serve(t) // with the usual cost
	return stopped
}
