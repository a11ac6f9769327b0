package command

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon/ipc"
)

// The server's clock is known to a second, and some time passes on the way.
func TestClock(t *testing.T) {
	before := time.Unix(1_000_000, 900_000_000)
	after := before.Add(300 * time.Millisecond)
	for name, row := range map[string]struct {
		there time.Time
		want  string
	}{
		"the same second":        {time.Unix(1_000_000, 0), isFine},
		"the next, on the way":   {time.Unix(1_000_001, 0), isFine},
		"a little behind":        {before.Add(-4 * time.Second).Truncate(time.Second), isFine},
		"behind":                 {before.Add(-8 * time.Second).Truncate(time.Second), isWarning},
		"ahead":                  {after.Add(6 * time.Second).Truncate(time.Second), isWarning},
		"refused, being behind":  {before.Add(-302 * time.Second).Truncate(time.Second), isBad},
		"refused, being ahead":   {after.Add(302 * time.Second).Truncate(time.Second), isBad},
		"a server of other days": {time.Unix(1, 0), isBad},
	} {
		var c checkup
		c.clock(client.ClockOff(row.there, before, after))
		if len(c.findings) != 1 || c.findings[0].State != row.want {
			t.Errorf("%s: %+v", name, c.findings)
		}
	}
}

// Whatever is found, there is something to do about it, also where no daemon or server
// says what.
func TestEveryFindingHasAFix(t *testing.T) {
	var c checkup
	c.closed("files", filepath.Join(t.TempDir(), "gone"))
	for _, m := range []string{"not dumpable", "core dumps", "umask", "no new privileges", "swap", "locked memory", "environment", "monitors", "not traceable", "one of tomorrow"} {
		c.hardening([]ipc.Measure{{Name: m, Detail: "why"}})
	}
	off := int64(1000)
	for _, a := range []daemonAnswer{
		{OK: true, PID: 1},
		{OK: true, AttestSessionID: "s", Problem: "refused"},
		{OK: true, AttestSessionID: "s", AgentID: "other"},
		{OK: true, ServerURL: "https://v.example", Server: &ipc.Server{}},
		{OK: true, ServerURL: "https://v.example", Server: &ipc.Server{Heard: "2026-01-01T00:00:00Z", ClockOff: &off}},
	} {
		c.session(a, systemSock, &identity.Session{AgentID: "bot"})
		c.heard(a)
	}
	c.server(t.Context(), "http://192.0.2.1")
	c.server(t.Context(), "https://127.0.0.1:1")
	for _, f := range c.findings {
		if f.State == isFine || f.Fix == "" {
			t.Errorf("%+v", f)
		}
	}
	if len(c.findings) < 20 {
		t.Errorf("%d findings: %+v", len(c.findings), c.findings)
	}
}

// Nobody in the isolated install is told to make a personal one, or the one that is there.
func TestFixesOfTheIsolatedInstall(t *testing.T) {
	for _, isolated := range []bool{false, true} {
		var c checkup
		t.Setenv("PATH", t.TempDir()) // no service manager can be asked
		c.unit(t.Context(), isolated)
		c.host(isolated)
		if len(c.findings) == 0 {
			t.Fatal("nothing was looked at")
		}
		for _, f := range c.findings {
			if isolated && (strings.Contains(f.Fix, "personal") || strings.Contains(f.Fix, "--user") || strings.HasSuffix(f.Fix, ": cortex daemon") || f.Check == "ptrace" && f.State != isFine) {
				t.Errorf("isolated: %+v", f)
			}
			if !isolated && f.Check == "unit" && strings.Contains(f.Fix, "isolated") {
				t.Errorf("personal: %+v", f)
			}
		}
	}
}

// In the isolated install the daemon says what it knows of the server: nobody who calls
// doctor has the login to ask by.
func TestHeard(t *testing.T) {
	off := int64(-400)
	var c checkup
	c.heard(daemonAnswer{OK: true, ServerURL: "https://v.example", Server: &ipc.Server{Key: "SHA256:abc", Heard: time.Now().UTC().Format(time.RFC3339), ClockOff: &off}})
	want := map[string]string{"server": isFine, "pin": isFine, "clock": isBad}
	for _, f := range c.findings {
		if want[f.Check] != f.State {
			t.Errorf("%+v", f)
		}
		delete(want, f.Check)
	}
	if len(want) > 0 {
		t.Errorf("nothing of %v", want)
	}
}
