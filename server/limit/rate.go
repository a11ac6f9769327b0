package limit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxEvents bounds what a window can hold.
const maxEvents = 10_000

// A Rate is a number of events in a window of time. The zero Rate is no limit.
type Rate struct {
	// N is how many events are allowed in any window.
	N int
	// Per is the window's length.
	Per time.Duration
}

// IsZero reports whether r is no limit.
func (r Rate) IsZero() bool { return r == Rate{} }

// String returns the form [ParseRate] reads.
func (r Rate) String() string { return fmt.Sprintf("%d/%s", r.N, r.Per) }

// ParseRate reads "20/1m": a number of events, 1 to 10000, and a duration, one
// second to one day.
func ParseRate(s string) (Rate, error) {
	count, per, ok := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 || n > maxEvents {
		return Rate{}, fmt.Errorf("rate %q: want a number from 1 to %d and a duration, as in 20/1m", s, maxEvents)
	}
	d, err := time.ParseDuration(per)
	if err != nil || d < time.Second || d > 24*time.Hour {
		return Rate{}, fmt.Errorf("rate %q: want a duration from 1s to 24h behind the slash", s)
	}
	return Rate{N: n, Per: d}, nil
}

// Rates are the limits of a server.
type Rates struct {
	// Discover is for each agent.
	Discover Rate
	// Authorize is for each source that starts a device login.
	Authorize Rate
	// Logins is for the device logins of all sources together: each makes a row
	// in the vault before anybody is known.
	Logins Rate
	// Poll is for each device code.
	Poll Rate
	// Failures is for each source that shows bad credentials.
	Failures Rate
	// Unseal is for each source that tries to open the vault with what does not:
	// each try takes seconds, and much memory.
	Unseal Rate
	// Codes is for user codes that nobody has, for each source and each account
	// that tries them.
	Codes Rate
}

// Defaults returns the limits of a server that was told nothing else. Polling
// at the announced pace of one in five seconds stays far below its limit.
func Defaults() Rates {
	return Rates{
		Discover:  Rate{5, time.Minute},
		Authorize: Rate{1, time.Minute},
		Logins:    Rate{60, time.Minute},
		Poll:      Rate{30, time.Minute},
		Failures:  Rate{60, time.Minute},
		Unseal:    Rate{5, time.Minute},
		Codes:     Rate{6, 10 * time.Minute},
	}
}

// Off reports whether nothing is limited.
func (r Rates) Off() bool { return r == Rates{} }

// ParseRates reads "off" as no limits at all, and "discover=20/1m,poll=60/1m"
// as [Defaults] with changes. The names are discover, authorize, logins,
// poll, failures, unseal and codes. The empty text is Defaults.
func ParseRates(s string) (Rates, error) {
	if s == "off" {
		return Rates{}, nil
	}
	rates := Defaults()
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		dst := rates.named(strings.TrimSpace(name))
		if dst == nil {
			return Rates{}, fmt.Errorf("unknown rate limit %q: want discover, authorize, logins, poll, failures, unseal or codes, as in discover=20/1m, or off alone", name)
		}
		rate, err := ParseRate(strings.TrimSpace(value))
		if err != nil {
			return Rates{}, fmt.Errorf("%s: %w", name, err)
		}
		*dst = rate
	}
	return rates, nil
}

func (r *Rates) named(name string) *Rate {
	switch name {
	case "discover":
		return &r.Discover
	case "authorize":
		return &r.Authorize
	case "logins":
		return &r.Logins
	case "poll":
		return &r.Poll
	case "failures":
		return &r.Failures
	case "unseal":
		return &r.Unseal
	case "codes":
		return &r.Codes
	}
	return nil
}
