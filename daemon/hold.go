package daemon

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/journal"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// The most that is held, in bytes of values: of a project, and of all.
const (
	maxHold  = 1 << 20
	maxHolds = 4 << 20
)

// maxOffline is the longest that a server is believed to let values be used.
const maxOffline = 7 * 24 * time.Hour

// A hold is what a fetch brought, for when the server is away. The values are in
// locked memory, one behind the other.
type hold struct {
	names []string // sorted, each once: those that the server was asked about
	token *token   // says which have no secret
	keys  map[string]api.SSHKey

	page   *locked.Buffer
	places map[string]place

	began time.Time // also by the monotonic clock
	until time.Time // by the wall clock
	ttl   time.Duration

	receipt string
	timer   *time.Timer
}

// A place is where a value is in the page.
type place struct{ from, to int }

// over reports whether the time is up, by either clock.
func (h *hold) over() bool {
	return time.Since(h.began) >= h.ttl || !time.Now().Round(0).Before(h.until)
}

// lacks returns those of the names that nothing is known of.
func (h *hold) lacks(names []string) (unknown []string) {
	for _, name := range names {
		if _, ok := slices.BinarySearch(h.names, name); !ok {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// holds are what is held of all projects. The zero value is empty.
type holds struct {
	log *slog.Logger

	mu    sync.Mutex // guards what follows, and the pages
	all   map[string]*hold
	size  int
	epoch int // how often something was forgotten
	// stale is what was held when something may have been missed.
	stale map[string]stale
}

// A stale is a hold that went because of what may have happened meanwhile.
type stale struct {
	names []string
	until time.Time
}

// A since is when a fetch began: what is forgotten meanwhile is not kept from it.
type since struct {
	at    time.Time
	epoch int
}

func (hs *holds) begin() since {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return since{time.Now(), hs.epoch}
}

// keep holds what a fetch brought if the server lets it, in the place of what was
// held of that project. It reports until when, and whether there was no room.
func (hs *holds) keep(project string, s since, t *token, got client.Secrets) (until time.Time, full bool) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.drop(project)
	if got.Offline == nil || got.Offline.TTLSeconds <= 0 || hs.epoch != s.epoch {
		return time.Time{}, false
	}
	if _, err := journal.ParseReceipt(got.Offline.Receipt); err != nil {
		return time.Time{}, false
	}
	h := &hold{
		names: slices.DeleteFunc(slices.Clone(t.names), func(name string) bool { return slices.Contains(got.Withheld, name) }),
		token: t, keys: maps.Clone(got.SSHKeys), began: s.at, receipt: got.Offline.Receipt,
		ttl: min(time.Duration(min(got.Offline.TTLSeconds, int64(maxOffline/time.Second)))*time.Second, maxOffline),
	}
	h.until = s.at.Round(0).Add(h.ttl)
	if !h.fill(got.Values, maxHolds-hs.size) {
		return time.Time{}, true
	}
	if hs.all == nil {
		hs.all = map[string]*hold{}
	}
	hs.all[project], hs.size = h, hs.size+len(h.page.Bytes())
	h.timer = time.AfterFunc(time.Until(h.until), func() { hs.expire(project, h) })
	return h.until, false
}

// fill copies the values, unless there is no room for them.
func (h *hold) fill(values map[string]opaque.Bytes, room int) bool {
	size := 1 // there is no empty page
	for name, v := range values {
		if !journal.ValidName(name) {
			return false // unreachable: what has a secret has such a name
		}
		size += v.Len()
	}
	if size > min(maxHold, room) {
		return false
	}
	page, err := locked.NewBuffer(size)
	if err != nil {
		return false
	}
	h.page, h.places = page, make(map[string]place, len(values))
	locked.Scrubbed(func() {
		at := 0
		for name, v := range values {
			n := copy(page.Bytes()[at:], v.Reveal())
			h.places[name], at = place{at, at + n}, at+n
		}
	})
	return true
}

// take returns what is held for a wish, and the names that nothing is known of; nil
// if nothing is held.
func (hs *holds) take(project string, w wish) (got gift, h *hold, unknown []string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h = hs.all[project]
	if h == nil || h.over() {
		hs.drop(project)
		return gift{}, nil, nil
	}
	if unknown = h.lacks(w.names); len(unknown) > 0 {
		return gift{}, h, unknown
	}
	got = gift{
		values: map[string]opaque.Bytes{}, keys: maps.Clone(h.keys),
		missing: h.token.missing(w.needed), waiting: h.token.waiting, unmaskable: h.token.unmaskable,
	}
	for _, name := range w.names {
		if p, ok := h.places[name]; ok {
			got.values[name] = opaque.New(slices.Clone(h.page.Bytes()[p.from:p.to]))
		}
	}
	return got, h, nil
}

// covers reports whether a wish could be had without the server.
func (hs *holds) covers(project string, w wish) bool {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.all[project]
	return h != nil && !h.over() && len(h.lacks(w.names)) == 0
}

// forget wipes what is held of a project, or of all for "", and has what is being
// fetched not be kept.
func (hs *holds) forget(project string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.epoch++
	for name := range hs.all {
		if project == "" || project == name {
			hs.drop(name)
		}
	}
	for name := range hs.stale {
		if project == "" || project == name {
			delete(hs.stale, name)
		}
	}
}

// doubt forgets everything, and remembers what it was.
func (hs *holds) doubt() {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.epoch++
	if hs.stale == nil {
		hs.stale = map[string]stale{}
	}
	for name, h := range hs.all {
		hs.stale[name] = stale{h.names, h.until}
		hs.drop(name)
	}
}

// takeStale returns what was in doubt, once.
func (hs *holds) takeStale() map[string]stale {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	all := hs.stale
	hs.stale = nil
	for name, was := range all {
		if hs.all[name] != nil || !time.Now().Round(0).Before(was.until) {
			delete(all, name) // a run has fetched it since, or it is over
		}
	}
	return all
}

// shorten has what is held of a project go no later than at a time.
func (hs *holds) shorten(project string, until time.Time) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h := hs.all[project]; h != nil && until.Before(h.until) {
		h.until = until
		h.timer.Reset(time.Until(until))
	}
}

// expire wipes a hold whose time is up, if it is still there.
func (hs *holds) expire(project string, h *hold) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.all[project] == h {
		hs.drop(project)
		hs.log.Info("what was held is over", "project", project)
	}
}

// drop is called with mu held.
func (hs *holds) drop(project string) {
	h := hs.all[project]
	if h == nil {
		return
	}
	h.timer.Stop()
	hs.size -= len(h.page.Bytes())
	h.page.Destroy()
	delete(hs.all, project)
}

// untils returns until when what is held, by project.
func (hs *holds) untils() map[string]time.Time {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	all := map[string]time.Time{}
	for name, h := range hs.all {
		if !h.over() {
			all[name] = h.until
		}
	}
	return all
}
