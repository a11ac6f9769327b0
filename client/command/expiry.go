package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/server/api"
)

// expiry reads when something ends: in so many days, in a while, at a date or a
// time; the zero time is never. It is nil where nothing is said.
func expiry(cmd *cli.Command, text string) (*api.Time, error) {
	if text == "" {
		return nil, nil
	}
	t, err := readExpiry(text, time.Now())
	if err != nil {
		return nil, usage(cmd, err)
	}
	return &t, nil
}

func readExpiry(text string, now time.Time) (api.Time, error) {
	if text == "never" {
		return api.Time{}, nil
	}
	if d, err := readDuration(text); err == nil && d > 0 {
		return api.NewTime(now.Add(d)), nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return api.NewTime(t), nil
	}
	t, err := api.ParseTime(text)
	if err != nil {
		return t, fmt.Errorf("bad time %q: write 90d, 12h, 2027-01-31, \"2027-01-31 12:00:00\" (UTC) or never", text)
	}
	return t, nil
}

// readDuration reads a duration as Go writes them, or a number of days.
func readDuration(text string) (time.Duration, error) {
	days, ok := strings.CutSuffix(text, "d")
	if n, err := strconv.ParseUint(days, 10, 15); ok && err == nil {
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}

// wireExpiry is the form of an update: empty for never.
func wireExpiry(t api.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.String()
}

// duration writes a duration as [readDuration] reads it, in whole days, hours or
// minutes if it can.
func duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
