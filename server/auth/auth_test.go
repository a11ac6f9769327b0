package auth

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/proof"
)

func TestClientOf(t *testing.T) {
	trusted, err := ParseProxies("10.0.0.0/8, 192.0.2.1,2001:db8::/32 ,")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, remote string
		header       http.Header
		source, key  string
	}{
		{"plain", "198.51.100.7:4242", nil, "198.51.100.7", "198.51.100.7/32"},
		{"v6", "[2606:4700:1:2:3::4]:4242", nil, "2606:4700:1:2:3::4", "2606:4700:1:2::/64"},
		{"mapped", "[::ffff:198.51.100.7]:1", nil, "198.51.100.7", "198.51.100.7/32"},
		{"zone", "[fe80::1%eth0]:1", nil, "fe80::1", "fe80::/64"},
		{"spoofed", "198.51.100.7:4242", http.Header{"X-Forwarded-For": {"1.1.1.1"}, "X-Real-Ip": {"2.2.2.2"}}, "198.51.100.7", "198.51.100.7/32"},
		{"proxied", "192.0.2.1:80", http.Header{"X-Forwarded-For": {"198.51.100.7"}}, "198.51.100.7", "198.51.100.7/32"},
		{"spoofed through the proxy", "192.0.2.1:80", http.Header{"X-Forwarded-For": {"1.1.1.1, 198.51.100.7"}}, "198.51.100.7", "198.51.100.7/32"},
		{"two lines", "192.0.2.1:80", http.Header{"X-Forwarded-For": {"1.1.1.1", "198.51.100.7, 10.1.2.3"}}, "198.51.100.7", "198.51.100.7/32"},
		{"port", "192.0.2.1:80", http.Header{"X-Forwarded-For": {"198.51.100.7:5555"}}, "198.51.100.7", "198.51.100.7/32"},
		{"garbage", "192.0.2.1:80", http.Header{"X-Forwarded-For": {"1.1.1.1, evil"}}, "192.0.2.1", "192.0.2.1/32"},
		{"garbage behind a proxy", "192.0.2.1:80", http.Header{"X-Forwarded-For": {"evil, 10.1.1.1"}}, "10.1.1.1", "10.1.1.1/32"},
		{"empty", "192.0.2.1:80", http.Header{"X-Forwarded-For": {""}}, "192.0.2.1", "192.0.2.1/32"},
		{"real ip", "192.0.2.1:80", http.Header{"X-Real-Ip": {"198.51.100.7"}}, "198.51.100.7", "198.51.100.7/32"},
		{"all trusted", "192.0.2.1:80", http.Header{"X-Forwarded-For": {"10.9.9.9, 10.1.1.1"}}, "10.9.9.9", "10.9.9.9/32"},
		{"too many", "192.0.2.1:80", http.Header{"X-Forwarded-For": {"1.1.1.1," + strings.Repeat("10.1.1.1,", 40) + "10.2.2.2"}}, "10.1.1.1", "10.1.1.1/32"},
		{"no address", "@", nil, "", "invalid Prefix"},
	} {
		r := &http.Request{RemoteAddr: tc.remote, Header: tc.header}
		c := ClientOf(r, trusted)
		if c.Origin.Source != tc.source || c.Source.String() != tc.key {
			t.Errorf("%s: %q, %s; want %q, %s", tc.name, c.Origin.Source, c.Source, tc.source, tc.key)
		}
	}
}

// Who is on this machine is known by its address, in whatever form.
func TestLoopback(t *testing.T) {
	for remote, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		"[::]:1": false, "[::2]:1": false, "[2001:db8::1]:1": false, "192.0.2.1:1": false, "@": false,
	} {
		if got := ClientOf(&http.Request{RemoteAddr: remote}, nil).Loopback(); got != want {
			t.Errorf("%s: %t", remote, got)
		}
	}
}

func TestParseProxiesRefuses(t *testing.T) {
	for _, s := range []string{"proxy.example", "10.0.0.0/33", "10.0.0.0/", "1.2.3.4:80"} {
		if p, err := ParseProxies(s); err == nil {
			t.Errorf("%q was taken as %v", s, p)
		}
	}
	p, err := ParseProxies("10.1.2.3/8")
	if err != nil || !p.Trusts(netip.MustParseAddr("10.200.0.1")) {
		t.Errorf("host bits: %v, %v", p, err)
	}
}

func TestCallerHeaders(t *testing.T) {
	h := http.Header{}
	for name, value := range map[string]string{
		"X-Cortex-Caller-Pid": "4242", "X-Cortex-Caller-Cwd": "/srv/app", "X-Cortex-Hostname": "bücher",
		"X-Cortex-Os": "linux\x1b[2J", "X-Cortex-Caller-Git-Commit": strings.Repeat("a", 200), "X-Cortex-Caller-Argv-Hash": "\xff",
	} {
		h.Set(name, value)
	}
	client := ClientOf(&http.Request{RemoteAddr: "192.0.2.1:80", Header: h}, nil)
	if m := client.Origin.Meta; m.PID != nil || m.CWD != nil || m.Hostname != nil || m.SourceIP == nil {
		t.Errorf("unasked: %+v", m)
	}
	m := client.ActingFor(h).Origin.Meta
	if m.PID == nil || *m.PID != 4242 || m.CWD == nil || *m.CWD != "/srv/app" || m.Hostname == nil || *m.Hostname != "bücher" {
		t.Errorf("%+v", m)
	}
	if m.OS != nil || m.GitCommit != nil || m.ArgvHash != nil || m.BinarySHA256 != nil {
		t.Errorf("kept what nobody should read: %+v", m)
	}
	if m.SourceIP == nil || *m.SourceIP != "192.0.2.1" {
		t.Errorf("source %v", m.SourceIP)
	}
	h.Set("X-Cortex-Caller-Pid", "12x")
	if pid := (Client{}).ActingFor(h).Origin.Meta.PID; pid != nil {
		t.Errorf("pid %d", *pid)
	}
}

func TestCredentials(t *testing.T) {
	for _, values := range [][]string{nil, {""}, {"Bearer"}, {"Bearer "}, {"bearer abc"}, {"Basic abc"}, {"Bearer a", "Bearer b"}} {
		if b, err := Bearer(http.Header{"Authorization": values}); err == nil {
			t.Errorf("%q: %q", values, b.Reveal())
		}
	}
	if b, err := Bearer(http.Header{"Authorization": {"Bearer  a b"}}); err != nil || string(b.Reveal()) != " a b" {
		t.Errorf("%q, %v", b.Reveal(), err)
	}
	for _, values := range [][]string{nil, {""}, {"a", "a"}} {
		if b, err := AdminToken(http.Header{"X-Admin-Token": values}); err == nil {
			t.Errorf("%q: %q", values, b.Reveal())
		}
	}
	if a, err := Attestation(http.Header{}); a != nil || err != nil {
		t.Errorf("absent: %v, %v", a, err)
	}
	good := proof.Attestation{SessionID: "s", JTI: "j", BodySHA256: proof.BodyHash(nil), AuthTokenID: "t", Signature: make([]byte, 64)}.Header()
	if a, err := Attestation(http.Header{"X-Daemon-Attestation": {good}}); err != nil || a.JTI != "j" {
		t.Errorf("%v, %v", a, err)
	}
	for _, values := range [][]string{{""}, {"a.b"}, {good, good}, {good + " "}} {
		if _, err := Attestation(http.Header{"X-Daemon-Attestation": values}); err == nil {
			t.Errorf("%q was taken", values)
		}
	}
}

// FuzzClientOf: whatever a header says, an untrusted peer is itself, and a
// trusted one yields an address.
func FuzzClientOf(f *testing.F) {
	for _, s := range []string{"1.1.1.1", "1.1.1.1, 10.0.0.1", "[::1]:80", "::ffff:1.1.1.1", ",,", "unknown", "fe80::1%eth0"} {
		f.Add(s)
	}
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, s string) {
		h := http.Header{"X-Forwarded-For": {s}, "X-Real-Ip": {s}, "X-Cortex-Caller-Cwd": {s}, "X-Cortex-Caller-Pid": {s}}
		if c := ClientOf(&http.Request{RemoteAddr: "192.0.2.1:80", Header: h}, trusted); c.Origin.Source != "192.0.2.1" {
			t.Fatalf("%q makes a stranger %q", s, c.Origin.Source)
		}
		c := ClientOf(&http.Request{RemoteAddr: "10.0.0.1:80", Header: h}, trusted)
		if m := c.ActingFor(h).Origin.Meta; m.CWD != nil && (*m.CWD != s || len(s) > 1024) {
			t.Fatalf("%q is recorded as %q", s, *m.CWD)
		}
		if addr, err := netip.ParseAddr(c.Origin.Source); err != nil || addr.Zone() != "" || !c.Source.Contains(addr) {
			t.Fatalf("%q makes a proxy's client %q, %s", s, c.Origin.Source, c.Source)
		}
	})
}
