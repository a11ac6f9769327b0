package server

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/limit"
)

// Every limit there is can be changed while the server runs.
func TestEveryLimitChanges(t *testing.T) {
	l := newLimits()
	source := netip.MustParsePrefix("192.0.2.1/32")
	takes := []func() error{
		func() error { return l.discover.Take([32]byte{}) },
		func() error { return l.authorize.Take(source) },
		func() error { return l.logins.Take(struct{}{}) },
		func() error { return l.poll.Take([32]byte{}) },
		func() error { return l.codes.Take(source) },
		func() error { return l.codesBy.Take("somebody") },
		func() error { return l.unseal.Take(source) },
	}
	if n := reflect.TypeFor[limits]().NumField(); n != len(takes) {
		t.Fatalf("there are %d limits, and %d are looked at", n, len(takes))
	}
	one := limit.Rate{N: 1, Per: time.Hour}
	l.change(limit.Rates{Discover: one, Authorize: one, Logins: one, Poll: one, Failures: one, Unseal: one, Codes: one})
	for i, take := range takes {
		if err := take(); err != nil {
			t.Errorf("limit %d refuses the first: %v", i, err)
		}
		if take() == nil {
			t.Errorf("limit %d allows the second", i)
		}
	}
}
