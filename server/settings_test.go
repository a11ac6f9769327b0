package server

import (
	"strings"
	"testing"
)

// local are settings that are good for one machine.
func local() settings { return settings{insecureHTTP: true, port: "3000", kdfProfile: "low"} }

func TestAddress(t *testing.T) {
	for _, tc := range []struct {
		listen, port string
		secure       bool
		want         string
	}{
		{"", "3000", false, "127.0.0.1:3000"},
		{"", "3000", true, ":3000"},
		{":8080", "3000", false, "127.0.0.1:8080"},
		{":8080", "3000", true, ":8080"},
		{"0.0.0.0", "3000", false, "0.0.0.0:3000"},
		{"0.0.0.0:80", "3000", false, "0.0.0.0:80"},
		{"::1", "3000", false, "[::1]:3000"},
		{"[::1]", "3000", false, "[::1]:3000"},
		{"[::1]:99", "3000", false, "[::1]:99"},
		{"127.0.0.1:0", "3000", false, "127.0.0.1:0"},
	} {
		addr, err := settings{listen: tc.listen, port: tc.port}.address(tc.secure)
		if err != nil || addr.String() != tc.want {
			t.Errorf("%q %q %v: %v, %v; want %s", tc.listen, tc.port, tc.secure, addr, err, tc.want)
		}
	}
	for _, s := range []settings{{port: "x"}, {port: ""}, {port: "65536"}, {port: "-1"}, {port: "1", listen: "1.2.3.4:x:y"}, {port: "1", listen: "256.1.1.1:1"}} {
		if addr, err := s.address(false); err == nil {
			t.Errorf("%+v listens on %s", s, addr)
		}
	}
}

func TestPlan(t *testing.T) {
	p, err := local().plan(t.Context())
	if err != nil || !p.attest || p.path != "cortex-auth.db" || len(p.insecure) != 1 || p.insecure[0] != "INSECURE_HTTP" {
		t.Errorf("%+v, %v", p, err)
	}
	for name, change := range map[string]func(*settings){
		"TLS_CERT_FILE":            func(s *settings) { s.insecureHTTP = false },
		"together":                 func(s *settings) { s.certFile = "x" },
		"no such file":             func(s *settings) { s.certFile, s.keyFile = "/nowhere", "/nowhere" },
		"profile":                  func(s *settings) { s.kdfProfile = "medium" },
		"CORTEX_HONEY_ON_NAME":     func(s *settings) { s.honeyOnName = "explode" },
		"rate":                     func(s *settings) { s.rateLimits = "discover=none" },
		"proxy":                    func(s *settings) { s.trustedProxies = "somewhere" },
		"origin":                   func(s *settings) { s.dashboardOrigins = "https://a.example/path" },
		"SQLite":                   func(s *settings) { s.database = "sqlite://cortex-auth.db" },
		"port":                     func(s *settings) { s.port = "99999" },
		"loopback":                 func(s *settings) { s.listen, s.disableRequestSigning = "0.0.0.0", true },
		"CORTEX_RATE_LIMITS":       func(s *settings) { s.listen, s.rateLimits = "0.0.0.0", "off" },
		"CORTEX_LISTEN=127.0.0.1)": func(s *settings) { s.listen, s.rateLimits = "192.0.2.1", "off" },
	} {
		s := local()
		change(&s)
		if _, err := s.plan(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Everything that is wrong is said at once.
func TestPlanSaysAll(t *testing.T) {
	_, err := settings{port: "x", rateLimits: "x", trustedProxies: "x", kdfProfile: "x"}.plan(t.Context())
	for _, word := range []string{"port", "rate limit", "proxy", "profile", "INSECURE_HTTP"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q is missing in: %v", word, err)
		}
	}
}

func TestInsecureOnLoopback(t *testing.T) {
	for _, listen := range []string{"", "127.0.0.1", "127.9.9.9:1", "[::1]:5"} {
		s := local()
		s.listen, s.disableRequestSigning, s.rateLimits = listen, true, "off"
		p, err := s.plan(t.Context())
		if err != nil || p.attest || !p.live.Unlimited || len(p.insecure) != 3 {
			t.Errorf("%q: %+v, %v", listen, p, err)
		}
	}
	// Plain HTTP beyond this machine is possible, for those who say where.
	s := local()
	s.listen = "0.0.0.0"
	if _, err := s.plan(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSwitchedOn(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "true": true, "TRUE": true, "yes": true, "": false, "0": false, "True": false, "on": false, "false": false} {
		t.Setenv("CORTEX_TEST_SWITCH", value)
		if switchedOn("CORTEX_TEST_SWITCH") != want {
			t.Errorf("%q", value)
		}
	}
}
