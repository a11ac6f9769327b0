package command

import (
	"testing"
	"time"
)

func TestReadPast(t *testing.T) {
	now := time.Date(2026, 4, 27, 18, 40, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"24h": "2026-04-26T18:40:00Z", "7d": "2026-04-20T18:40:00Z", "0s": "2026-04-27T18:40:00Z", "2026-04-01": "2026-04-01T00:00:00Z",
		"2026-04-01 12:00:00": "2026-04-01T12:00:00Z", "2026-04-01T12:00:00+02:00": "2026-04-01T10:00:00Z", "2026-04-01T12:00:00.5Z": "2026-04-01T12:00:00.5Z",
	} {
		if got, err := readPast(text, now); err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	if got, err := readPast("", now); err != nil || !got.IsZero() {
		t.Errorf("nothing: %s, %v", got, err)
	}
	for _, text := range []string{"yesterday", "-1h", "d", "2026-13-01", "9", "now"} {
		if got, err := readPast(text, now); err == nil {
			t.Errorf("%s: %s", text, got)
		}
	}
}
