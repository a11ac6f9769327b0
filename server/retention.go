package server

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The days for which the audit trail is kept where nobody says otherwise, and
// the most that can be said.
const (
	retentionDays    = 60
	maxRetentionDays = 36_500
)

// auditRetention reads how long the records of the audit trail are kept, 0 for
// ever.
func (s settings) auditRetention() (time.Duration, error) {
	const day = 24 * time.Hour
	switch s.retention {
	case "":
		return retentionDays * day, nil
	case "off":
		return 0, nil
	}
	d, err := time.ParseDuration(s.retention)
	if days, found := strings.CutSuffix(s.retention, "d"); found {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * day
	}
	if err != nil || d < day || d > maxRetentionDays*day {
		return 0, fmt.Errorf("CORTEX_AUDIT_RETENTION %q: want a number of days such as 30d, or of hours such as 720h, one day at least, or off", s.retention)
	}
	return d, nil
}
