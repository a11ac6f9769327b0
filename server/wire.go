package server

import (
	"time"

	"github.com/cortex-auth/cortex/server/api"
)

// How many rows the lists of things that pile up show; the newest count.
const (
	maxPending  = 500
	maxDevices  = 200
	maxSessions = 200
	maxAudit    = 1000
)

// wireAll converts rows. The result is never nil, which JSON would write as
// null.
func wireAll[D, W any](rows []D, wire func(D) W) []W {
	out := make([]W, 0, len(rows))
	for _, r := range rows {
		out = append(out, wire(r))
	}
	return out
}

// newest cuts a list that has the newest rows first.
func newest[D any](rows []D, n int) []D { return rows[:min(n, len(rows))] }

// listed returns a list that is not nil.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// wireTime converts a time there may be.
func wireTime(t *time.Time) *api.Time {
	if t == nil {
		return nil
	}
	return new(api.NewTime(*t))
}
