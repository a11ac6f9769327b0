package server

import (
	"strings"
	"testing"
)

func TestAuditReserve(t *testing.T) {
	for text, want := range map[string]int64{
		"": 64 << 20, "off": 0, "64MiB": 64 << 20, "1024KiB": 1 << 20, "2GiB": 2 << 30, "8388608": 8 << 20, "1024GiB": 1 << 40,
	} {
		if got, err := (settings{reserve: text}).auditReserve(); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "1023KiB", "-1MiB", "+1MiB", "1.5MiB", "64MB", "64 MiB", "MiB", "1025GiB", "99999999999999999999", "2199023255551GiB", "OFF"} {
		if _, err := (settings{reserve: text}).auditReserve(); err == nil || !strings.Contains(err.Error(), "CORTEX_AUDIT_RESERVE") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
