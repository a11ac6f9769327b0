package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/vault/secretfile"
)

// maxConfig is the longest configuration file read, in bytes.
const maxConfig = 64 << 10

// A setting is one variable of the server, as a configuration file may set it.
type setting struct {
	name string
	flag string
	text *string // one of these two
	on   *bool
	live bool // can change while the server runs
}

// set gives the setting a value.
func (f setting) set(value string) {
	if f.on != nil {
		*f.on = isOn(value)
		return
	}
	*f.text = value
}

// value returns what the setting is.
func (f setting) value() string {
	if f.on != nil {
		return fmt.Sprint(*f.on)
	}
	return *f.text
}

// table lists the settings that are no secrets.
func (s *settings) table() []setting {
	return []setting{
		{name: "DATABASE_URL", flag: "db", text: &s.database},
		{name: "CORTEX_LISTEN", flag: "listen", text: &s.listen},
		{name: "PORT", flag: "port", text: &s.port},
		{name: "TLS_CERT_FILE", flag: "tls-cert", text: &s.certFile},
		{name: "TLS_KEY_FILE", flag: "tls-key", text: &s.keyFile},
		{name: "CORTEX_TLS", flag: "tls", text: &s.tls},
		{name: "INSECURE_HTTP", flag: "insecure-http", on: &s.insecureHTTP},
		{name: "CORTEX_KEK_PASSWORD_FILE", flag: "kek-password-file", text: &s.passwordFile},
		{name: "ADMIN_TOKEN_FILE", flag: "admin-token-file", text: &s.adminTokenFile},
		{name: "CORTEX_METRICS_TOKEN_FILE", flag: "metrics-token-file", text: &s.metricsTokenFile},
		{name: "CORTEX_KDF_PROFILE", flag: "kdf-profile", text: &s.kdfProfile},
		{name: "CORTEX_RATE_LIMITS", flag: "rate-limits", text: &s.rateLimits, live: true},
		{name: "CORTEX_TRUSTED_PROXIES", flag: "trusted-proxies", text: &s.trustedProxies, live: true},
		{name: "CORTEX_DASHBOARD_ORIGINS", flag: "dashboard-origins", text: &s.dashboardOrigins, live: true},
		{name: "CORTEX_LOG_LEVEL", flag: "log-level", text: &s.logLevel, live: true},
		{name: "CORTEX_LOG_FORMAT", flag: "log-format", text: &s.logFormat},
		{name: "CORTEX_DISABLE_REQUEST_SIGNING", flag: "disable-request-signing", on: &s.disableRequestSigning},
		{name: "CORTEX_HONEY_ON_NAME", flag: "honey-on-name", text: &s.honeyOnName},
		{name: "CORTEX_AUDIT_RETENTION", flag: "audit-retention", text: &s.retention, live: true},
		{name: "CORTEX_AUDIT_RESERVE", flag: "audit-reserve", text: &s.reserve},
		{name: "CORTEX_TWO_PERSON", flag: "two-person", on: &s.twoPerson},
		{name: "CORTEX_NOTIFY_NETWORKS", flag: "notify-networks", text: &s.notifyNetworks},
		{name: "CORTEX_REQUIRE_DEVICE_PROOF", flag: "require-device-proof", on: &s.requireDeviceProof},
		{name: "CORTEX_LISTEN_SEALED", flag: "listen-sealed", on: &s.listenSealed},
		{name: "CORTEX_RECOVERY_MODE", flag: "recovery", on: &s.recoveryMode},
		{name: "CORTEX_RECOVERY_THRESHOLD", flag: "recovery-threshold", text: &s.recoveryThreshold},
		{name: "CORTEX_RECOVERY_SHARES_DIR", flag: "recovery-shares", text: &s.recoveryDir},
		{name: "CORTEX_REQUIRE_ATTEST_PROOF", flag: "require-attest-proof", on: &s.requireAttestProof},
	}
}

// secretSettings are variables whose values are secrets, and what to write into
// a configuration file in their place.
var secretSettings = map[string]string{
	"CORTEX_KEK_PASSWORD":  "CORTEX_KEK_PASSWORD_FILE",
	"ADMIN_TOKEN":          "ADMIN_TOKEN_FILE",
	"CORTEX_METRICS_TOKEN": "CORTEX_METRICS_TOKEN_FILE",
}

// complete notes which settings flags and environment made, and reads the
// configuration file for the others. The function isSet says whether a flag was
// given, or its variable.
func (s settings) complete(ctx context.Context, isSet func(flag string) bool) (settings, error) {
	s.fixed = map[string]bool{}
	for _, f := range s.table() {
		_, inEnvironment := os.LookupEnv(f.name)
		if f.on != nil { // the others are read as their flags are
			*f.on = *f.on || switchedOn(f.name)
		}
		s.fixed[f.name] = inEnvironment || isSet(f.flag)
	}
	given := s
	s.given = &given
	return s.configured(ctx)
}

// configured returns the settings with what their configuration file, if there
// is one, says about those that neither a flag nor a variable did.
func (s settings) configured(ctx context.Context) (settings, error) {
	if s.configFile == "" {
		return s, nil
	}
	lines, err := readConfig(ctx, s.configFile)
	if err != nil {
		return s, err
	}
	if err := s.apply(lines); err != nil {
		return s, fmt.Errorf("%s: %w", s.configFile, err)
	}
	return s, nil
}

func readConfig(ctx context.Context, path string) ([]configLine, error) {
	text, err := secretfile.ReadFile(ctx, path, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	lines, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lines, nil
}

// apply sets what is not set otherwise, and reports every line that cannot be.
func (s *settings) apply(lines []configLine) error {
	known := map[string]setting{}
	for _, f := range s.table() {
		known[f.name] = f
	}
	var errs []error
	for _, l := range lines {
		f, ok := known[l.name]
		switch {
		case ok && !s.fixed[l.name]:
			f.set(l.value)
		case ok:
		case secretSettings[l.name] != "":
			errs = append(errs, fmt.Errorf("line %d: %s is a secret, which does not belong into this file: put it into one of its own, and name that with %s", l.number, l.name, secretSettings[l.name]))
		default:
			errs = append(errs, fmt.Errorf("line %d: there is no setting %s", l.number, l.name))
		}
	}
	return errors.Join(errs...)
}

// A configLine is one line NAME=value.
type configLine struct {
	number      int
	name, value string
}

// parseConfig reads lines of the form NAME=value, as systemd's EnvironmentFile=
// has them: empty lines and those that begin with # or ; do not count, white
// space around a line, its name and its value does not either. Nothing is
// quoted, expanded or continued. Every line that is wrong is reported; values
// are not repeated, because somebody may have put a secret there.
func parseConfig(text []byte) (lines []configLine, err error) {
	if len(text) > maxConfig {
		return nil, fmt.Errorf("longer than %d bytes", maxConfig)
	}
	seen := map[string]int{}
	var errs []error
	number := 0
	for raw := range bytes.Lines(text) {
		number++
		line := strings.TrimSpace(string(raw))
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		l, err := parseConfigLine(line)
		if first, twice := seen[l.name]; err == nil && twice {
			err = fmt.Errorf("%s was set in line %d already", l.name, first)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		l.number, seen[l.name] = number, number
		lines = append(lines, l)
	}
	return lines, errors.Join(errs...)
}

func parseConfigLine(line string) (configLine, error) {
	name, value, ok := strings.Cut(line, "=")
	l := configLine{name: strings.TrimSpace(name), value: strings.TrimSpace(value)}
	switch {
	case !ok || !settingName(l.name):
		return configLine{}, errors.New("want NAME=value, with a name in upper case")
	case !utf8.ValidString(l.value) || strings.ContainsFunc(l.value, unicode.IsControl):
		return configLine{}, fmt.Errorf("the value of %s is not plain text", l.name)
	case strings.HasPrefix(l.value, `"`) || strings.HasPrefix(l.value, "'"):
		return configLine{}, fmt.Errorf("the value of %s is quoted: quotes are not read here, leave them out", l.name)
	}
	return l, nil
}

func settingName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && len(s) <= 128
}

// differences returns the names of the settings in which two differ that cannot
// change while the server runs.
func (s settings) differences(from settings) []string {
	before := from.table()
	var changed []string
	for i, f := range s.table() {
		if !f.live && before[i].value() != f.value() {
			changed = append(changed, f.name)
		}
	}
	slices.Sort(changed)
	return changed
}
