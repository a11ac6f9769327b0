package command

import (
	"testing"
	"time"
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
		c.clock(row.there, before, after)
		if len(c.findings) != 1 || c.findings[0].State != row.want {
			t.Errorf("%s: %+v", name, c.findings)
		}
	}
	var c checkup
	if c.clock(time.Time{}, before, after); len(c.findings) != 0 {
		t.Errorf("a server that does not say: %+v", c.findings)
	}
}
