package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/backup"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// take returns a backup of s, and the file in it.
func take(t *testing.T, s *servertest.Server) (h backup.Header, file string) {
	t.Helper()
	c, err := client.New(client.Config{URL: s.URL, AdminToken: opaque.New([]byte(s.AdminToken)), HTTP: s.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	var whole, plain bytes.Buffer
	if h, err = c.Backup(t.Context(), &whole); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Read(&plain, &whole); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "restored.db")
	if err := os.WriteFile(file, plain.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return h, file
}

// reopen unseals a restored file.
func reopen(t *testing.T, h backup.Header, file string) (*vault.Vault, *store.DB) {
	t.Helper()
	db, err := store.Open(store.Options{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	v := vault.New(vault.Config{DB: db, Params: servertest.Params, TestOnlyAccountCost: servertest.Params, RequireAttestation: true})
	if err := v.MarkRestored(t.Context(), h.Time); err != nil {
		t.Fatal(err)
	}
	if err := v.Unseal(t.Context(), opaque.New([]byte(servertest.Password))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v, db
}

// A backup taken while others write is whole: what was acknowledged before is
// in it, every row and index entry agrees, and the trail verifies.
func TestBackupUnderLoad(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	for i := range 20 {
		s.Secret(t, fmt.Sprintf("before/%d", i), strings.Repeat("value-canary", 500))
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					s.Secret(t, fmt.Sprintf("during/%d/%d", w, i), strings.Repeat("value-canary", 50))
				}
			}
		})
	}
	h, file := take(t, s)
	close(stop)
	writers.Wait()
	if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte("value-canary")) {
		t.Errorf("a value is in the backup, or %v", err)
	}
	v, db := reopen(t, h, file)
	by := access.Caller{Kind: access.Admin, Name: "admin", Role: access.Super}
	rows, err := v.Secrets(t.Context(), by, vault.SecretFilter{})
	if err != nil {
		t.Fatal(err)
	}
	before := 0
	for _, r := range rows {
		if strings.HasPrefix(r.Path, "before/") {
			before++
		}
	}
	if before != 20 {
		t.Errorf("%d of 20 secrets are in the backup", before)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if report, err := v.VerifyAudit(t.Context()); err != nil || report.Broken != nil {
		t.Errorf("%+v, %v", report, err)
	}
}

// What was good when the backup was made is not good any more.
func TestRestoreEndsTokens(t *testing.T) {
	s := servertest.New(t)
	id := s.Secret(t, "db_password", "x")
	s.Grant(t, "app", id)
	a := s.Enrol(t, "bot")
	got := a.Obtain(t, "app", "DB_PASSWORD")
	if f := a.Fetch(t, "app", got.Token); f.Status != http.StatusOK {
		t.Fatalf("%d %s", f.Status, f.Body)
	}
	h, file := take(t, s)
	v, _ := reopen(t, h, file)
	by := access.Caller{Kind: access.Admin, Name: "admin", Role: access.Super}
	projects, err := v.Projects(t.Context(), by, "")
	if err != nil || len(projects) != 1 || projects[0].Status != "revoked" {
		t.Errorf("%+v, %v", projects, err)
	}
	sessions, err := v.Sessions(t.Context(), by)
	if err != nil || len(sessions) != 0 {
		t.Errorf("%+v, %v", sessions, err)
	}
	devices, err := v.Devices(t.Context(), by)
	if err != nil || len(devices) != 0 {
		t.Errorf("%+v, %v", devices, err)
	}
	pending, err := v.PendingGrants(t.Context(), by)
	if err != nil || len(pending) != 1 || pending[0].Status != "approved" {
		t.Errorf("the approval: %+v, %v", pending, err)
	}
	if f := a.Fetch(t, "app", got.Token); f.Status != http.StatusOK {
		t.Errorf("the vault it was made of: %d %s", f.Status, f.Body)
	}
}

// A backup is for those who may have everything, and is recorded also when it
// is refused. One is made at a time, and asking for its header makes none.
func TestBackupIsGuarded(t *testing.T) {
	s := servertest.New(t)
	if a := s.Do(t, servertest.Request{Method: "GET", Path: "/admin/backup", Header: http.Header{"X-Admin-Token": {"wrong"}}}); a.Status != http.StatusUnauthorized {
		t.Errorf("wrong token: %d", a.Status)
	}
	manager := access.Caller{Kind: access.Admin, Name: "someone", Role: access.Manager}
	if _, err := s.Vault.Backup(t.Context(), manager); err == nil {
		t.Error("a manager gets a backup")
	}
	by := access.Caller{Kind: access.Admin, Name: "admin", Role: access.Super}
	b, err := s.Vault.Backup(t.Context(), by)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.TryAdmin(t, "GET", "/admin/backup", nil); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("a second one: %d %s", a.Status, a.Body)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if a := s.TryAdmin(t, "HEAD", "/admin/backup", nil); a.Status != http.StatusNotFound {
		t.Errorf("HEAD: %d", a.Status)
	}
	take(t, s)
	var rows []struct{ Action, Status string }
	s.Admin(t, "GET", "/admin/audit-logs", nil, &rows)
	seen := map[string]int{}
	for _, r := range rows {
		seen[r.Action+" "+r.Status]++
	}
	if seen["backup success"] != 2 || seen["backup denied"] != 1 {
		t.Errorf("recorded %v", seen)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(s.DB.Path()), "*copy*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
