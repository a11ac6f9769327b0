package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is good is said to be good, and nothing is made, locked or migrated.
func TestCheckConfig(t *testing.T) {
	dir := t.TempDir()
	check := func(vars []string, args ...string) (int, string) {
		t.Helper()
		p := start(t, dir, nil, vars, append([]string{"serve", "--check-config"}, args...)...)
		status, log := p.end(t)
		return status, p.stdout.String() + log
	}
	status, out := check([]string{"CORTEX_KEK_PASSWORD=" + testPassword})
	if status != 0 || !strings.Contains(out, "NEW vault") || !strings.Contains(out, "the settings are good") || strings.Contains(out, testPassword) {
		t.Errorf("%d %s", status, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("checking left %v, %v", left, err)
	}
	p := serve(t, dir)
	if status, out := check(nil); status != 0 || !strings.Contains(out, "in use by pid") {
		t.Errorf("running: %d %s", status, out)
	}
	p.stop(t)
	before, err := os.ReadFile(filepath.Join(dir, "cortex-auth.db"))
	if err != nil {
		t.Fatal(err)
	}
	if status, out := check(nil); status != 0 || !strings.Contains(out, "schema 1") || !strings.Contains(out, "will ask at the terminal") {
		t.Errorf("stopped: %d %s", status, out)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "cortex-auth.db")); err != nil || string(after) != string(before) {
		t.Errorf("checking changed the file: %v", err)
	}
}

// Everything that is wrong is said at once.
func TestCheckConfigSaysAll(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"vault.db": "not a vault, but long enough to be looked at", "blank": " \n", "short": "short-canary"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, dir, nil, []string{
		"DATABASE_URL=vault.db", "CORTEX_RATE_LIMITS=nonsense", "CORTEX_LOG_LEVEL=loud", "CORTEX_LOG_FORMAT=xml", "CORTEX_TRUSTED_PROXIES=nowhere",
		"CORTEX_KEK_PASSWORD_FILE=blank", "ADMIN_TOKEN_FILE=short", "CORTEX_METRICS_TOKEN_FILE=missing", "TLS_CERT_FILE=alone", "PORT=none",
	}, "serve", "--check-config")
	status, log := p.end(t)
	if status != 1 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"vault file", "rate limit", "log level", "log format", "proxy", "blank is blank", "at least 16 bytes", "missing", "belong together", "port"} {
		if !strings.Contains(log, want) {
			t.Errorf("it does not say %q:\n%s", want, log)
		}
	}
	if strings.Contains(log+p.stdout.String(), "canary") {
		t.Errorf("a secret is shown: %s", log)
	}
}
