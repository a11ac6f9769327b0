package locked

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// A Report tells what was achieved for the buffers handed out so far, those
// already destroyed included. Each count but Buffers says how many of them
// have that property.
type Report struct {
	// Buffers is the number of buffers handed out.
	Buffers int
	// Secret counts those from memfd_secret, unreadable even to root.
	Secret int
	// Locked counts those that are never written to swap.
	Locked int
	// DontDump counts those left out of core dumps.
	DontDump int
	// NotForked counts those a forked child finds absent or zeroed.
	NotForked int
	// Errors are the reasons for what is missing, each reason once.
	Errors []error
}

// OK reports whether every buffer is locked, not dumped and not forked. It
// does not ask for memfd_secret, which is a second wall behind those. On macOS,
// which has calls for locking only, it is true of no buffer.
func (r Report) OK() bool {
	return min(r.Locked, r.DontDump, r.NotForked) == r.Buffers
}

// Err returns Errors as one error, nil if there are none.
func (r Report) Err() error { return errors.Join(r.Errors...) }

// LogValue returns the counts and the reasons as a group.
func (r Report) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Int("buffers", r.Buffers), slog.Int("secret", r.Secret), slog.Int("locked", r.Locked),
		slog.Int("dontdump", r.DontDump), slog.Int("notforked", r.NotForked),
	}
	if err := r.Err(); err != nil {
		attrs = append(attrs, slog.String("err", err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// ledger adds up what was achieved.
var ledger struct {
	mu     sync.Mutex // guards report
	report Report
}

// Status tells what was achieved for the buffers handed out so far.
func Status() Report {
	ledger.mu.Lock()
	defer ledger.mu.Unlock()
	r := ledger.report
	r.Errors = slices.Clone(r.Errors)
	return r
}

// achieved is what the system granted for one page. A nil error means granted.
type achieved struct {
	secret, lock, dump, fork error
}

// record enters one page into the ledger.
func record(a achieved) {
	ledger.mu.Lock()
	defer ledger.mu.Unlock()
	r := &ledger.report
	r.Buffers++
	r.note(&r.Secret, "memfd_secret", a.secret)
	r.note(&r.Locked, "locking", a.lock)
	r.note(&r.DontDump, "keeping out of core dumps", a.dump)
	r.note(&r.NotForked, "keeping from forked children", a.fork)
}

// note counts one property, or keeps the reason why it is missing.
func (r *Report) note(count *int, what string, err error) {
	if err == nil {
		*count++
		return
	}
	err = fmt.Errorf("%s: %w", what, err)
	same := func(e error) bool { return e.Error() == err.Error() }
	if !slices.ContainsFunc(r.Errors, same) {
		r.Errors = append(r.Errors, err)
	}
}

// roundUp returns n rounded up to a multiple of page, a power of two.
func roundUp(n, page int) int { return (n + page - 1) &^ (page - 1) }
