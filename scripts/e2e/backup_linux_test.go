package e2e_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"
)

// A backup that is taken while a crowd reads and writes restores to a vault that
// has everything acknowledged before, and whose trail verifies.
func TestBackupUnderLoad(t *testing.T) {
	s := newStage(t)
	server := s.serve()
	l := s.load()
	a := acknowledged{values: map[string]string{}}
	a.want(20 * crowd)
	var working sync.WaitGroup
	errs := make(chan error, crowd)
	for i := range crowd {
		working.Go(func() { errs <- a.work(l, fmt.Sprintf("worker/%d", i)) })
	}
	select {
	case <-a.had:
	case err := <-errs:
		t.Fatal(err)
	}
	a.mu.Lock()
	before := maps.Clone(a.values)
	a.mu.Unlock()
	if _, stderr, err := s.run("cortex", "backup", "--url", s.url, "--out", "under-load.backup"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	server.wait(t)
	working.Wait()
	for range crowd {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	restored := filepath.Join(s.dir, "restored.db")
	if _, stderr, err := s.run("cortex", "restore", "--from", "under-load.backup", "--db", restored); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	server = s.serve("DATABASE_URL=" + restored)
	l = s.load()
	for id, want := range before {
		if got, status, err := l.read(id); err != nil || got != want {
			t.Fatalf("secret %s: %q, status %d, %v; want %q", id, got, status, err, want)
		}
	}
	s.stop(server)
	if rows := s.verifyAudit("--db", restored); rows < int64(len(before)) {
		t.Errorf("%d records of at least %d", rows, len(before))
	}
	t.Logf("%d secrets before the backup, %d in all", len(before), len(a.values))
}
