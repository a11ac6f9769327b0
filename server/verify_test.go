package server

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
)

func verifyAudit(t *testing.T, dir, password string, args ...string) (status int, stdout, log string) {
	t.Helper()
	p := start(t, dir, strings.NewReader(password), nil, append([]string{"verify-audit"}, args...)...)
	status, log = p.end(t)
	return status, p.stdout.String(), log
}

func TestVerifyAudit(t *testing.T) {
	t.Parallel()
	p := serve(t, "")
	p.stop(t)
	file := filepath.Join(p.dir, "cortex-auth.db")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	status, stdout, log := verifyAudit(t, p.dir, testPassword, "--db", file)
	if status != 0 || !strings.Contains(stdout, "intact: ") || !strings.Contains(stdout, "MACs") {
		t.Errorf("status %d: %s%s", status, stdout, log)
	}
	if status, stdout, log = verifyAudit(t, p.dir, "", "--db", "bolt://"+file, "--unkeyed"); status != 0 || !strings.Contains(stdout, "hashes only") {
		t.Errorf("unkeyed: status %d: %s%s", status, stdout, log)
	}
	var v api.AuditReport
	status, stdout, _ = verifyAudit(t, p.dir, testPassword, "--db", file, "--json")
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || status != 0 || !v.Intact || !v.Keyed || v.Rows == 0 || v.Last != v.Rows || v.Broken != nil {
		t.Errorf("json: status %d: %s, %v", status, stdout, err)
	}
	for name, args := range map[string][]string{
		"wrong password": {"wrong", "--db", file},
		"no password":    {"", "--db", file},
		"no file":        {testPassword, "--db", filepath.Join(p.dir, "nothing.db")},
		"not a vault":    {testPassword, "--db", writeFile(t, strings.Repeat("not a vault", 5000))},
		"sqlite":         {testPassword, "--db", "sqlite://x"},
	} {
		if status, stdout, log := verifyAudit(t, p.dir, args[0], args[1:]...); status != 2 || stdout != "" {
			t.Errorf("%s: status %d: %s%s", name, status, stdout, log)
		}
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "nothing.db")); err == nil {
		t.Error("a file was created")
	}
}

// Whoever edits the file behind the vault's back is found out, with and
// without the key.
func TestVerifyAuditFindsTampering(t *testing.T) {
	t.Parallel()
	p := serve(t, "")
	p.stop(t)
	file := filepath.Join(p.dir, "cortex-auth.db")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("vault_start")) {
		t.Fatal("the trail is not there to be edited")
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("vault_start"), []byte("vault_stort")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"keyed":   {testPassword, "--db", file},
		"unkeyed": {"", "--db", file, "--unkeyed"},
	} {
		status, _, log := verifyAudit(t, p.dir, args[0], args[1:]...)
		if status != 1 || !strings.Contains(log, "BROKEN at record 2") {
			t.Errorf("%s: status %d: %s", name, status, log)
		}
	}
	status, stdout, _ := verifyAudit(t, p.dir, testPassword, "--db", file, "--json")
	var v api.AuditReport
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || status != 1 || v.Intact || v.Broken == nil || v.Broken.Seq != 2 {
		t.Errorf("json: status %d: %s, %v", status, stdout, err)
	}
}
