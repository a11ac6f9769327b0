package server

import (
	"strings"
	"testing"
	"time"
)

func TestAuditRetention(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 60 * 24 * time.Hour, "off": 0, "30d": 720 * time.Hour, "720h": 720 * time.Hour, "1d": 24 * time.Hour, "36500d": 36500 * 24 * time.Hour,
	} {
		if got, err := (settings{retention: text}).auditRetention(); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "0d", "23h", "-30d", "+30d", "30", "d", "1.5d", "36501d", "99999999999d", "OFF", "none", "30 d", "9999999h"} {
		if _, err := (settings{retention: text}).auditRetention(); err == nil || !strings.Contains(err.Error(), "CORTEX_AUDIT_RETENTION") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
