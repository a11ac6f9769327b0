package e2e_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// smallDisk returns a directory on a disk of 12 MiB with a file of 4 MiB on it, which
// is returned too.
func smallDisk(t *testing.T) (dir, ballast string) {
	t.Helper()
	dir = need.SmallDisk(t, "12m")
	ballast = filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, ballast
}

// On a full disk a server says so, changes nothing, lets nothing out that it
// could not record, and goes on once there is room.
func TestFullDisk(t *testing.T) {
	s := newStage(t)
	dir, ballast := smallDisk(t)
	database := "bolt://" + dir + "/vault.db"
	server := s.serve("DATABASE_URL=" + database)
	l := s.load()
	kept := s.fillDisk(l)
	if len(kept) == 0 {
		t.Fatal("nothing fitted")
	}
	if status, answer, err := l.do("GET", "/health", "", nil); err != nil || status != http.StatusOK {
		t.Errorf("health on a full disk: %d %s, %v", status, answer, err)
	}
	for id, want := range kept {
		got, status, err := l.read(id)
		if err != nil || status != http.StatusInsufficientStorage && got != want {
			t.Fatalf("read on a full disk: status %d, %v", status, err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for id, want := range kept {
		if got, status, err := l.read(id); err != nil || got != want {
			t.Fatalf("read with room again: status %d, %v", status, err)
		}
	}
	if _, status, err := l.create("after", "value"); err != nil || status/100 != 2 {
		t.Errorf("write with room again: status %d, %v", status, err)
	}
	s.stop(server)
	rows := s.verifyAudit("--db", database)
	t.Logf("%d secrets fitted, %d records", len(kept), rows)
}

// On a full disk that has a reserve, what an attacker tries is still recorded, and
// an administrator cuts him off and starts the server anew; nothing else is
// written, and nothing leaves.
func TestFullDiskWithReserve(t *testing.T) {
	s := newStage(t)
	dir, ballast := smallDisk(t)
	settings := []string{"DATABASE_URL=bolt://" + dir + "/vault.db", "CORTEX_AUDIT_RESERVE=2MiB"}
	server := s.serve(settings...)
	l := s.load()
	kept := s.fillDisk(l)
	status := func(l *load, method, path, body string, header http.Header) int {
		t.Helper()
		status, _, err := l.do(method, path, body, header)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	guess := http.Header{"X-Admin-Token": {"a wrong token of some length"}}
	reserve := dir + "/vault.db.reserve"
	left := func() int64 { return fileSize(t, reserve) }
	for n := 0; left() == 2<<20; n++ { // what is free within the file goes first
		if n == 20_000 {
			t.Fatal("the reserve is not needed")
		}
		if got := status(l, "GET", "/admin/secrets", "", guess); got != http.StatusUnauthorized {
			t.Fatalf("a wrong token: %d", got)
		}
		if got := status(l, "POST", "/admin/freeze", `{"kind":"agent","name":"nobody"}`, asAdmin); got != http.StatusNotFound {
			t.Fatalf("refused: %d", got)
		}
	}
	if got := status(l, "POST", "/admin/freeze", `{"kind":"namespace","name":"default"}`, asAdmin); got != http.StatusOK {
		t.Errorf("freeze: %d", got)
	}
	for id := range kept {
		if _, got, err := l.read(id); err != nil || got != http.StatusInsufficientStorage {
			t.Fatalf("read beside the reserve: %d, %v", got, err)
		}
	}
	s.stop(server)
	server = s.serve(settings...) // the start is recorded
	l = s.load()
	for action, want := range map[string]string{"admin_login": "failed", "freeze": "success", "vault_start": "success"} {
		_, rows, err := l.do("GET", "/admin/audit-logs?limit=1&action="+action, "", asAdmin)
		if err != nil || !strings.Contains(string(rows), `"status":"`+want+`"`) {
			t.Errorf("%s: %s, %v", action, rows, err)
		}
	}
	if got := status(l, "POST", "/sys/seal", "", asAdmin); got != http.StatusOK {
		t.Errorf("seal: %d", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.stop(server)
	server = s.serve(settings...)
	l = s.load()
	if got := status(l, "POST", "/admin/unfreeze", `{"kind":"namespace","name":"default"}`, asAdmin); got != http.StatusOK {
		t.Errorf("unfreeze: %d", got)
	}
	for id, want := range kept {
		if got, status, err := l.read(id); err != nil || got != want {
			t.Fatalf("read with room again: status %d, %v", status, err)
		}
	}
	if got := left(); got != 2<<20 {
		t.Errorf("the reserve has %d bytes", got)
	}
	s.stop(server)
	s.verifyAudit("--db", settings[0][len("DATABASE_URL="):])
}

// fillDisk makes secrets from a few connections until one does not fit, and
// returns those that did.
func (s *stage) fillDisk(l *load) map[string]string {
	s.t.Helper()
	var mu sync.Mutex
	kept := map[string]string{}
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for c := range cap(errs) {
		wg.Go(func() {
			for i := 0; ; i++ {
				value := strings.Repeat(fmt.Sprintf("%d-%d ", c, i), 5000)
				id, status, err := l.create(fmt.Sprintf("fill/%d/%d", c, i), value)
				if err != nil || status == http.StatusInsufficientStorage {
					errs <- err
					return
				}
				if status/100 != 2 {
					errs <- fmt.Errorf("status %d", status)
					return
				}
				mu.Lock()
				kept[id] = value
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			s.t.Fatal(err)
		}
	}
	return kept
}

// anonymous returns the anonymous memory of a process, in bytes.
func anonymous(t *testing.T, pid int) int64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no RssAnon")
	return 0
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
