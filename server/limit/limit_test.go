package limit

import (
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func after(t *testing.T, err error) time.Duration {
	t.Helper()
	e, ok := errors.AsType[*Exceeded](err)
	if !ok {
		t.Fatalf("got %v, want an *Exceeded", err)
	}
	return e.After
}

func TestWindowSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[string](Rate{2, time.Minute})
		for range 2 {
			if err := l.Take("a"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
		}
		// 40 s in: the first event counts for 20 s more.
		if got := after(t, l.Take("a")); got != 20*time.Second {
			t.Errorf("wait %s, want 20s", got)
		}
		if err := l.Take("b"); err != nil {
			t.Errorf("another key: %v", err)
		}
		time.Sleep(20*time.Second - 1)
		if got := after(t, l.Take("a")); got != 1 {
			t.Errorf("wait %s, want 1ns", got)
		}
		time.Sleep(time.Nanosecond)
		// Refused events were not counted, so exactly one is free now.
		if err := l.Take("a"); err != nil {
			t.Errorf("after the window: %v", err)
		}
		if got := after(t, l.Take("a")); got != 20*time.Second {
			t.Errorf("wait %s, want 20s", got)
		}
	})
}

func TestCheckCountsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[string](Rate{1, time.Minute})
		for range 5 {
			if err := l.Check("a"); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Take("a"); err != nil {
			t.Fatal(err)
		}
		after(t, l.Check("a"))
		time.Sleep(time.Minute)
		if err := l.Check("a"); err != nil {
			t.Error(err)
		}
	})
}

func TestNilLimiterAllows(t *testing.T) {
	l := New[string](Rate{})
	for range 100 {
		if err := errors.Join(l.Take("a"), l.Check("a")); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever comes with ever new keys cannot make the table grow.
func TestTableIsBounded(t *testing.T) {
	l := New[string](Rate{1, time.Hour})
	for i := range 3 * Keys {
		if err := l.Take(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.seen.Len(); n != Keys {
		t.Errorf("%d keys remembered, want %d", n, Keys)
	}
	after(t, l.Take(strconv.Itoa(3*Keys-1)))
}

func TestConcurrentTakes(t *testing.T) {
	l := New[string](Rate{100, time.Hour})
	var wg sync.WaitGroup
	var taken atomic.Int32
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if l.Take("a") == nil {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := taken.Load(); n != 100 {
		t.Errorf("%d events allowed, want 100", n)
	}
}

func TestSource(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7":              "192.0.2.7/32",
		"::ffff:192.0.2.7":       "192.0.2.7/32",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":   "2001:db8:1:2::/64",
		"fe80::1%eth0":           "fe80::/64",
		"::1":                    "::1/128",
		"::2":                    "::/64",
		"::ffff:127.0.0.1":       "127.0.0.1/32",
		"2001:db8:1:3::ffff:0:1": "2001:db8:1:3::/64",
	} {
		if got := Source(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: key %s, want %s", addr, got, want)
		}
	}
	if Source(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("no address has a key of its own")
	}
}

func TestParseRates(t *testing.T) {
	if r, err := ParseRates(""); err != nil || r != Defaults() {
		t.Errorf("empty: %v, %v", r, err)
	}
	if r, err := ParseRates("off"); err != nil || !r.Off() {
		t.Errorf("off: %v, %v", r, err)
	}
	want := Defaults()
	want.Discover, want.Failures = Rate{20, time.Minute}, Rate{3, 10 * time.Second}
	if r, err := ParseRates(" discover=20/1m, failures = 3/10s ,"); err != nil || r != want {
		t.Errorf("changed: %v, %v", r, err)
	}
	for _, s := range []string{"discover", "discover=", "discover=0/1m", "discover=5", "discover=5/0s", "discover=-1/1m", "discover=5/1ms", "discover=99999/1m", "discover=5/48h", "fetch=5/1m", "off,discover=5/1m", "discover=off"} {
		if r, err := ParseRates(s); err == nil {
			t.Errorf("%q was taken as %v", s, r)
		}
	}
}

// FuzzParseRate: what is read comes back when it is written.
func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"20/1m", "1/1s", "10000/24h", "5/1m0s", "5/", "/1m", "5/1h30m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRate(s)
		if err != nil {
			return
		}
		if back, err := ParseRate(r.String()); err != nil || back != r {
			t.Fatalf("%q → %s → %v, %v", s, r, back, err)
		}
	})
}
