package redteam

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

var trailMoves = moves{
	"changed-record":   changedRecord,
	"cut-trail":        cutTrail,
	"older-trail":      func(t *testing.T) outcome { t.Parallel(); return rolledBack().trail },
	"older-trail-head": func(t *testing.T) outcome { t.Parallel(); return rolledBack().trailHead },
	"older-file":       func(t *testing.T) outcome { t.Parallel(); return rolledBack().file },
	"older-file-head":  func(t *testing.T) outcome { t.Parallel(); return rolledBack().fileHead },
}

// verify verifies the trail of the file, and reports whether it is intact. What it
// says is returned, too.
func (s *site) verify(t *testing.T, args ...string) (intact bool, out string) {
	t.Helper()
	out, err := s.cortex(append([]string{"verify-audit", "--db", s.file()}, args...)...)
	if err == nil {
		return true, out
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	return false, out
}

func sequence(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Each record is changed in some way, by somebody who knows the form but no key.
func changedRecord(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	for range 3 {
		s.secret(t)
	}
	s.stop(t)
	if intact, out := s.verify(t); !intact {
		t.Fatal(out)
	}
	whole := read(t, s.file())
	for name, change := range map[string]func(b *bolt.Bucket) error{
		"changed": func(b *bolt.Bucket) error {
			was := b.Get(sequence(3))
			now := bytes.Replace(was, []byte("success"), []byte("refused"), 1)
			if bytes.Equal(now, was) {
				return fmt.Errorf("record 3 says no success: %q", was)
			}
			return b.Put(sequence(3), now)
		},
		"dropped": func(b *bolt.Bucket) error { return b.Delete(sequence(3)) },
		"inserted": func(b *bolt.Bucket) error {
			return errors.Join(shift(b, 3), b.Put(sequence(3), bytes.Clone(b.Get(sequence(2)))))
		},
		"swapped": func(b *bolt.Bucket) error {
			two, three := bytes.Clone(b.Get(sequence(2))), bytes.Clone(b.Get(sequence(3)))
			return errors.Join(b.Put(sequence(2), three), b.Put(sequence(3), two))
		},
		"re-dated": func(b *bolt.Bucket) error { return redate(b, 3) },
	} {
		s.put(t, whole)
		s.edit(t, func(tx *bolt.Tx) error { return change(tx.Bucket([]byte("audit"))) })
		intact, out := s.verify(t)
		if intact {
			t.Logf("a record was %s", name)
			return open
		}
		if !strings.Contains(out, "BROKEN at record 3") && !strings.Contains(out, "BROKEN at record 2") {
			t.Errorf("a record was %s, and %s", name, out)
		}
	}
	return stopped
}

// shift moves the records from the n-th one further.
func shift(b *bolt.Bucket, n uint64) error {
	last, _ := b.Cursor().Last()
	for at := binary.BigEndian.Uint64(last); at >= n; at-- {
		if err := b.Put(sequence(at+1), bytes.Clone(b.Get(sequence(at)))); err != nil {
			return err
		}
	}
	return nil
}

// redate has a record say that it was made an hour later.
func redate(b *bolt.Bucket, n uint64) error {
	record := bytes.Clone(b.Get(sequence(n)))
	// Its number and id stand before its time, each with a length.
	at := bytes.Index(record, append([]byte{0, 0, 0, 8}, sequence(n)...))
	if at < 0 {
		return fmt.Errorf("record %d has another form: %x", n, record)
	}
	at += 4 + 8
	at += 4 + int(binary.BigEndian.Uint32(record[at:])) + 4
	binary.BigEndian.PutUint64(record[at:], binary.BigEndian.Uint64(record[at:])+3600)
	return b.Put(sequence(n), record)
}

// The last thing that happened goes, alone and with all that counts it.
func cutTrail(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	s.secret(t)
	s.stop(t)
	whole := read(t, s.file())
	for range 2 {
		s.edit(t, func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("audit"))
			last, _ := b.Cursor().Last()
			return b.Delete(bytes.Clone(last))
		})
		if s.launch() == nil {
			s.program.Kill()
			return open
		}
		if !strings.Contains(s.program.Log(), "audit") {
			t.Fatalf("it does not start because of something else: %s", s.program.Log())
		}
	}
	s.put(t, whole)
	s.serve(t)
	return stopped
}

// rolledBack puts back what was there before somebody was caught, and says what
// came of it: with the trail alone, and with the whole file.
var rolledBack = once(func() (out struct{ trail, trailHead, file, fileHead outcome }) {
	t := stage
	s := newSite(t)
	s.secret(t)
	s.stop(t)
	older := read(t, s.file())
	s.serve(t)
	_, id, _ := s.secret(t)
	s.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, nil) // what should not be seen
	head := filepath.Join(s.dir, "head.note")
	var signed struct{ Note string }
	s.Admin(t, http.MethodGet, "/admin/audit/head", nil, &signed)
	if err := os.WriteFile(head, []byte(signed.Note), 0o600); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	if intact, said := s.verify(t, "--since-head", head); !intact {
		t.Fatal(said)
	}
	newer := read(t, s.file())
	buckets := [][]byte{[]byte("audit"), []byte("audit_head")}
	s.put(t, older)
	kept := map[string]map[string][]byte{}
	s.edit(t, func(tx *bolt.Tx) error {
		for _, name := range buckets {
			kept[string(name)] = map[string][]byte{}
			if err := tx.Bucket(name).ForEach(func(k, v []byte) error { kept[string(name)][string(k)] = bytes.Clone(v); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	look := func() (without, with outcome) {
		intact, _ := s.verify(t)
		if s.launch() != nil {
			intact = false
		} else {
			s.stop(t)
		}
		noticed, _ := s.verify(t, "--since-head", head)
		return unless(intact, stopped), unless(noticed, stopped)
	}
	out.file, out.fileHead = look()
	s.put(t, newer)
	s.edit(t, func(tx *bolt.Tx) error {
		for name, rows := range kept {
			if err := tx.DeleteBucket([]byte(name)); err != nil {
				return err
			}
			b, err := tx.CreateBucket([]byte(name))
			for k, v := range rows {
				err = errors.Join(err, b.Put([]byte(k), v))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	out.trail, out.trailHead = look()
	return out
})
