package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// configure completes settings with a file of that text.
func configure(t *testing.T, s settings, text string, flags ...string) (settings, error) {
	t.Helper()
	s.configFile = filepath.Join(t.TempDir(), "cortex.conf")
	if err := os.WriteFile(s.configFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.complete(context.Background(), func(flag string) bool { return strings.Contains(" "+strings.Join(flags, " ")+" ", " "+flag+" ") })
}

func TestConfigFile(t *testing.T) {
	t.Setenv("CORTEX_TRUSTED_PROXIES", "192.0.2.1")
	s := local()
	s.trustedProxies = "192.0.2.1"
	got, err := configure(t, s, "# a comment\n; another\n\n PORT = 4000 \nCORTEX_RATE_LIMITS=discover=9/1m\r\nINSECURE_HTTP=0\nCORTEX_TRUSTED_PROXIES=198.51.100.1\nCORTEX_KDF_PROFILE=high", "kdf-profile")
	if err != nil {
		t.Fatal(err)
	}
	if got.port != "4000" || got.rateLimits != "discover=9/1m" || got.insecureHTTP || got.trustedProxies != "192.0.2.1" || got.kdfProfile != "low" {
		t.Errorf("%+v", got)
	}
}

func TestConfigFileIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		"PORT=1\nBOGUS=1":                    "line 2: there is no setting BOGUS",
		"PORT=1\n\nPORT=2":                   "line 3: PORT was set in line 1 already",
		"port=1":                             "line 1: want NAME=value",
		"PORT":                               "line 1: want NAME=value",
		"export PORT=1":                      "line 1: want NAME=value",
		"PORT=\"1\"":                         "line 1: the value of PORT is quoted",
		"PORT=1\x00":                         "line 1: the value of PORT is not plain text",
		"PORT=\xff":                          "line 1: the value of PORT is not plain text",
		"CORTEX_KEK_PASSWORD=canary":         "CORTEX_KEK_PASSWORD_FILE",
		"ADMIN_TOKEN=canary":                 "ADMIN_TOKEN_FILE",
		strings.Repeat("#", maxConfig+1):     "longer than",
		"BOGUS=1\nPORT=1\nALSO=2":            "line 3: there is no setting ALSO",
		"CORTEX_CONFIG=/etc/cortex/more.env": "no setting CORTEX_CONFIG",
	} {
		_, err := configure(t, local(), text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	s := local()
	s.configFile = filepath.Join(t.TempDir(), "missing")
	if _, err := s.complete(context.Background(), func(string) bool { return false }); err == nil {
		t.Error("a file that is not there is read")
	}
}

// What parses is written back as it was understood.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{"", "PORT=1", "A=b\n# c\n;d\n  E = f = g \r\n", "A=1\nA=2", "=", "A=\"", "\xff=\x00", "A=\u2028"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, err := parseConfig(text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, l := range lines {
			b.WriteString(l.name + "=" + l.value + "\n")
		}
		again, err := parseConfig([]byte(b.String()))
		if err != nil || len(again) != len(lines) {
			t.Fatalf("%q: %v", b.String(), err)
		}
		for i, l := range again {
			if l.name != lines[i].name || l.value != lines[i].value {
				t.Fatalf("%+v became %+v", lines[i], l)
			}
		}
	})
}

// Each setting is in the table, and each in the table has a flag of its own.
func TestSettingsTable(t *testing.T) {
	var s settings
	flags := map[string]bool{}
	for _, f := range s.flags() {
		flags[f.Names()[0]] = true
	}
	for _, f := range s.table() {
		if !flags[f.flag] {
			t.Errorf("%s has no flag %s", f.name, f.flag)
		}
		delete(flags, f.flag)
	}
	delete(flags, "config")
	delete(flags, "reset-admin-token") // for one start only
	delete(flags, "new-certificate")   // likewise
	if len(flags) > 0 {
		t.Errorf("not in the table: %v", flags)
	}
}

// The example in the manual is one that is read.
func TestDocumentedConfig(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "    # /etc/cortex/cortex.conf\n")
	example, _, ended := strings.Cut(example, "\n\n")
	if !found || !ended {
		t.Fatal("docs/operations.md has no example")
	}
	s, err := configure(t, local(), example)
	if err != nil || s.database != "bolt:///var/lib/cortex/vault.db" || s.rateLimits == "" {
		t.Errorf("%+v, %v", s, err)
	}
}
