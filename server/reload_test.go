package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A signal changes what can change, says what cannot, and keeps what is in
// force where the file is wrong.
func TestReloadSettings(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "cortex.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("CORTEX_RATE_LIMITS=failures=2/1h\nCORTEX_DASHBOARD_ORIGINS=https://one.example\n")
	p := serve(t, dir, "CORTEX_CONFIG="+config, "ADMIN_TOKEN=0123456789abcdef")
	guess := func() int { return p.get(t, "/admin/secrets", "wrong", nil) }
	if a, b, c := guess(), guess(), guess(); a != 401 || b != 401 || c != 429 {
		t.Fatalf("%d %d %d", a, b, c)
	}
	if got := p.allows(t, "https://one.example"); !got {
		t.Error("the origin of the file is refused")
	}

	write("CORTEX_RATE_LIMITS=failures=4/1h\nCORTEX_DASHBOARD_ORIGINS=https://two.example\nCORTEX_LOG_FORMAT=json\nCORTEX_LOG_LEVEL=warn\nCORTEX_AUDIT_RETENTION=30d\nCORTEX_NOTIFY_NETWORKS=10.0.0.0/8\n")
	p.signal(t, syscall.SIGHUP)
	if warned := strings.Join(p.waitFor(t, "setting=CORTEX_NOTIFY_NETWORKS"), "\n"); !strings.Contains(warned, "setting=CORTEX_LOG_FORMAT") || strings.Contains(warned, "CORTEX_AUDIT_RETENTION") {
		t.Errorf("what it says of other settings:\n%s", warned)
	}
	// The settings are in force before the process is told of the restart.
	if a, b, c := guess(), guess(), guess(); a != 401 || b != 401 || c != 429 {
		t.Errorf("after the reload: %d %d %d", a, b, c)
	}
	if p.allows(t, "https://one.example") || !p.allows(t, "https://two.example") {
		t.Error("the origins are the old ones")
	}

	write("CORTEX_RATE_LIMITS=failures=100/1h\nBOGUS=1\n")
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "no setting BOGUS")
	if got := guess(); got != 429 {
		t.Errorf("a broken file changed the limit: %d", got)
	}
	write("CORTEX_AUDIT_RETENTION=never\n")
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "CORTEX_AUDIT_RETENTION")
	write("CORTEX_RATE_LIMITS=off\n")
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "CORTEX_RATE_LIMITS=off is for the start")
	if got := guess(); got != 429 {
		t.Errorf("a signal switched the limits off: %d", got)
	}
	p.signal(t, syscall.SIGTERM)
	status, log := p.end(t)
	if status != 0 || strings.Contains(log, "level=INFO") {
		t.Errorf("status %d, at level warn it logs:\n%s", status, log)
	}
}

// How long records are kept is for the vault, which goes by it at its next pruning.
func TestReloadRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.On(t, storetest.New(t), vault.Config{AuditRetention: 60 * 24 * time.Hour})
		time.Sleep(40 * 24 * time.Hour)
		srv, err := New(Config{Vault: v})
		if err != nil {
			t.Fatal(err)
		}
		running, err := configure(t, local(), "CORTEX_AUDIT_RETENTION=60d")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(running.configFile, []byte("CORTEX_AUDIT_RETENTION=30d"), 0o600); err != nil {
			t.Fatal(err)
		}
		p := program{log: slog.New(slog.DiscardHandler), level: new(slog.LevelVar)}
		if running = p.reloadSettings(t.Context(), srv, running); running.retention != "30d" {
			t.Errorf("it goes by %q", running.retention)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := v.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Action: audit.ActionPrune}); err != nil || len(rows) != 1 {
			t.Errorf("%d prunings, %v", len(rows), err)
		}
	})
}

// allows reports whether a page of that origin may read answers.
func (p *process) allows(t *testing.T, origin string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", p.url+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get("Access-Control-Allow-Origin") == origin
}

// A lower limit counts what was counted under the higher one.
func TestChangedLimit(t *testing.T) {
	l := limit.New[string](limit.Rate{N: 5, Per: time.Hour})
	for range 5 {
		if err := l.Take("a"); err != nil {
			t.Fatal(err)
		}
	}
	l.Change(limit.Rate{N: 3, Per: time.Hour})
	if l.Take("a") == nil {
		t.Error("over the lower limit")
	}
	l.Change(limit.Rate{N: 6, Per: time.Hour})
	if err := l.Take("a"); err != nil {
		t.Error(err)
	}
	if l.Take("a") == nil {
		t.Error("over the higher limit")
	}
	l.Change(limit.Rate{})
	if err := l.Take("a"); err != nil {
		t.Error(err)
	}
}

// The service manager hears of a reload, with a time, and that the server is
// alive.
func TestNotifications(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(shortDir(t), "notify")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	next := func(want string) string {
		t.Helper()
		message := make([]byte, 1024)
		for {
			if err := listener.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			n, err := listener.Read(message)
			if err != nil {
				t.Fatalf("waiting for %q: %v", want, err)
			}
			if text := string(message[:n]); strings.HasPrefix(text, want) {
				return text
			}
		}
	}
	p := start(t, "", nil, []string{"CORTEX_KEK_PASSWORD=" + testPassword, "NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=200000"}, "serve")
	next("READY=1\nX_CORTEX_URL=")
	next("WATCHDOG=1")
	next("WATCHDOG=1")
	p.signal(t, syscall.SIGHUP)
	if text := next("RELOADING=1"); !strings.Contains(text, "\nMONOTONIC_USEC=") {
		t.Errorf("%q", text)
	}
	next("READY=1")
	p.signal(t, syscall.SIGTERM)
	next("STOPPING=1")
	p.end(t)
}
