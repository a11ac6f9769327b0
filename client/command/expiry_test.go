package command

import (
	"testing"
	"time"
)

func TestReadExpiry(t *testing.T) {
	now := time.Date(2026, 4, 27, 18, 40, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"90d": "2026-07-26 18:40:00", "12h": "2026-04-28 06:40:00", "1h30m": "2026-04-27 20:10:00",
		"2027-01-31": "2027-01-31 00:00:00", "2027-01-31 12:00:00": "2027-01-31 12:00:00",
		"2027-01-31T12:00:00+02:00": "2027-01-31 10:00:00",
	} {
		if got, err := readExpiry(text, now); err != nil || got.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	if never, err := readExpiry("never", now); err != nil || wireExpiry(never) != "" {
		t.Errorf("never: %s, %v", never, err)
	}
	for _, text := range []string{"tomorrow", "-1h", "0d", "99999d", "d", "2027-13-01", "9"} {
		if got, err := readExpiry(text, now); err == nil {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"14d": "14d", "24h": "1d", "36h": "36h", "90m": "90m", "90s": "1m30s", "0": "0d"} {
		d, err := readDuration(text)
		if got := duration(d); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
		if again, err := readDuration(want); err != nil || again != d {
			t.Errorf("%s again: %v, %v", want, again, err)
		}
	}
}
