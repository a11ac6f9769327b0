package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// A token opens some names of a project. It is in memory only: a daemon that
// starts anew gets a new one.
type token struct {
	value   opaque.Bytes
	names   []string // sorted, each once
	expires time.Time

	unmatched []string      // sorted; the names that the vault has no secret for
	asked     time.Time     // when it was asked about them
	pause     time.Duration // how long until it is asked again
	waiting   string        // the grant id, if some of them wait for approval

	unmaskable bool // the project's commands may print what they want
}

// early is how long before its end a token counts as over.
const early = time.Minute

// covers reports whether t can be used for names, and for how long it will at
// least.
func (t *token) covers(names []string, left time.Duration) bool {
	if t == nil || !time.Now().Round(0).Add(left).Before(t.expires) {
		return false
	}
	for _, name := range names {
		if _, ok := slices.BinarySearch(t.names, name); !ok {
			return false
		}
	}
	return true
}

// How long a name without a secret is left alone before the server is asked
// again: twice as long each time.
const (
	firstPause = 30 * time.Second
	lastPause  = 30 * time.Minute
)

// missing returns those of the names that t opens nothing for.
func (t *token) missing(names []string) (none []string) {
	for _, name := range names {
		if _, ok := slices.BinarySearch(t.unmatched, name); ok {
			none = append(none, name)
		}
	}
	return none
}

// stale reports whether it is time to ask again about names that had no secret.
func (t *token) stale(needed []string) bool {
	return len(t.missing(needed)) > 0 && time.Since(t.asked) >= t.pause
}

// A project is what the daemon knows about one.
type project struct {
	name string
	turn chan struct{} // holds a token while nobody asks the server for one

	// What clients were told once.
	unmasked     said[string] // variables that are not masked
	stripped     said[string] // variables that pinned commands run without
	strippedPath said[string] // directories of PATH, so
	withheld     said[int]    // descriptors that no program gets

	mu      sync.Mutex // guards what follows
	token   *token     // nil without
	pending error      // what waited for approval last; nil without
	decided string     // the request that was decided last
	ends    bool       // its programs, when they are cut off
	cut     bool       // it has lost its token, to the server
	// commands is what it says of commands: "" for any, else that the server wants to
	// know which.
	commands string
	changed  bool // something at the server, since the token

	redacted []time.Time     // when a text was, lately
	runBy    map[int]bool    // the uids of those whose programs had its values
	allowed  *pinned.Command // what the server said yes to last, having been told what it is; or nil
}

func (p *project) get() *token {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.token
}

// put replaces the token. The old one is wiped by nobody: a request under way
// may carry it.
func (p *project) put(t *token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token, p.changed, p.cut = t, false, false
}

// wasCut reports whether the project had a token that the server does not accept any more.
func (p *project) wasCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// ran notes that a program of a user's has the values.
func (p *project) ran(uid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.runBy == nil {
		p.runBy = map[int]bool{}
	}
	p.runBy[uid] = true
}

// wasRunBy reports whether a user has run it.
func (p *project) wasRunBy(uid int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runBy[uid]
}

// settle notes that a request was decided, or forgotten, at the server.
func (p *project) settle(grantID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending, p.decided = nil, grantID
}

// recall returns err, or what the server said before if it is now asked too
// often: that the project waits for approval is what people want to know.
func (p *project) recall(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := errors.AsType[*api.Error](err)
	switch {
	case ok && errors.Is(e, api.PendingApproval):
		p.pending = err
	case tooSoon(err) && p.pending != nil:
		return p.pending
	default:
		p.pending = nil
	}
	return err
}

// drop forgets a token that turned out to be no good, unless there is another
// by now.
func (p *project) drop(t *token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token == t {
		p.token, p.cut = nil, t != nil
	}
}

// restore takes back a token that was dropped, unless there is another by now.
func (p *project) restore(t *token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token == nil {
		p.token, p.cut = t, false
	}
}

// maxProjects bounds what clients can make the daemon remember. Those that came to
// nothing are forgotten first.
const maxProjects = 4096

// projects are all that were asked for. The zero value is empty.
type projects struct {
	mu  sync.Mutex // guards all
	all map[string]*project
}

func (ps *projects) of(name string) (*project, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p, ok := ps.all[name]; ok {
		return p, nil
	}
	if len(ps.all) >= maxProjects {
		maps.DeleteFunc(ps.all, func(_ string, p *project) bool { return p.vain() })
	}
	if len(ps.all) >= maxProjects {
		return nil, fmt.Errorf("more than %d projects: restart the daemon", maxProjects)
	}
	p := &project{name: name, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	if ps.all == nil {
		ps.all = map[string]*project{}
	}
	ps.all[name] = p
	return p, nil
}

// ran notes that a program of a user's has the values of a project.
func (ps *projects) ran(name string, uid int) {
	ps.mu.Lock()
	p := ps.all[name]
	ps.mu.Unlock()
	if p != nil {
		p.ran(uid)
	}
}

// vain reports whether nothing has come of a project, and nobody is asking for it.
func (p *project) vain() bool { return p.get() == nil && len(p.turn) > 0 }

// wipe wipes all tokens. Nobody may use one any more.
func (ps *projects) wipe() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.all {
		if t := p.get(); t != nil {
			t.value.Wipe()
		}
	}
	ps.all = nil
}

// A wish is what a run asks for: names, sorted, each once, and those of them
// that the program does not get from elsewhere.
type wish struct {
	names, needed []string
	all           bool // to know what else the token opens, too: a template may hold it
	look          look // at the command
}

// A gift is what a run gets.
type gift struct {
	values  map[string]opaque.Bytes // wipe them
	keys    map[string]api.SSHKey   // those that stay in the vault
	texts   map[string]opaque.Bytes // of templates, by PATH=VARIABLE; wipe them
	missing []string                // needed names that have no value
	waiting string                  // the grant id, if some of these wait for approval

	unmaskable bool // the program may print what it wants

	offline *ipc.Offline    // of what was held; nil of what the server gave
	exact   *spawn.Exact    // the files that it is for; nil for any
	pin     *api.AllowedPin // that allows the command, if commands have to be allowed
}

func (g gift) wipe() {
	for _, v := range g.values {
		v.Wipe()
	}
	for _, v := range g.texts {
		v.Wipe()
	}
}

// values returns the values of names that the project may have.
func (d *enrolment) values(ctx context.Context, project string, w wish, by client.CallerContext) (gift, error) {
	p, err := d.projects.of(project)
	if err != nil {
		return gift{}, err
	}
	got, t, err := d.fetch(ctx, p, w, by)
	if t != nil && (unauthorized(err) || withholds(got.Secrets, w.names)) {
		// The token ended, the session did, or the token no longer opens what
		// it did: asking for a new one will tell, and puts it right or says
		// what waits for approval. Once, and nobody need know.
		p.drop(t)
		d.holds.forget(project)
		anew, next, errAnew := d.fetch(ctx, p, w, by)
		if err == nil && tooSoon(errAnew) {
			p.restore(t) // what came is what there is, for now
		} else {
			got.Wipe()
			got, t, err = anew, next, errAnew
		}
	}
	if err != nil {
		return gift{}, err
	}
	if len(got.Withheld) > 0 {
		d.log.Warn("the server withholds secrets", "project", project, "names", got.Withheld)
	}
	g := gift{values: got.Values, keys: got.SSHKeys, missing: t.missing(w.needed), waiting: t.waiting, unmaskable: t.unmaskable, exact: got.exact, pin: got.Pin}
	for _, name := range got.Withheld {
		if slices.Contains(w.needed, name) {
			g.missing = append(g.missing, name)
		}
	}
	return g, nil
}

// withholds reports whether some of the names are withheld.
func withholds(got client.Secrets, names []string) bool {
	return slices.ContainsFunc(got.Withheld, func(name string) bool { return slices.Contains(names, name) })
}

// fetched is what the server gave, and the files that it is for, nil for any.
type fetched struct {
	client.Secrets
	exact *spawn.Exact
}

// fetch asks for the values once, and returns the token it had, nil without.
func (d *enrolment) fetch(ctx context.Context, p *project, w wish, by client.CallerContext) (fetched, *token, error) {
	t, s, err := d.credentials(ctx, p, w)
	if err != nil {
		return fetched{}, nil, err
	}
	began := d.holds.begin()
	all, exact, err := asPinned(p, w.look, by, func(by client.CallerContext) (client.Secrets, error) {
		all, err := d.client.ProjectSecrets(ctx, p.name, t.value, s, by)
		if err != nil {
			err = fmt.Errorf("fetching the secrets of project %s: %w", p.name, err)
		}
		return all, err
	})
	if err != nil {
		return fetched{}, t, err
	}
	p.commandsBecome(all.Commands)
	if all.Commands != api.CommandsEnforce {
		d.hold(p.name, began, t, all)
	}
	if !w.all {
		all.Values = only(all.Values, w.names)
	}
	return fetched{all, exact}, t, nil
}

// credentials returns what the server is asked with for a project.
func (d *enrolment) credentials(ctx context.Context, p *project, w wish) (*token, client.Attester, error) {
	t, err := d.token(ctx, p, w)
	if err != nil {
		return nil, nil, err
	}
	s, err := d.sessions.current(ctx)
	if err != nil {
		return nil, nil, err
	}
	return t, d.sessions.attester(s), nil
}

// only returns the values of names and wipes the others.
func only(all map[string]opaque.Bytes, names []string) map[string]opaque.Bytes {
	maps.DeleteFunc(all, func(name string, v opaque.Bytes) bool {
		_, wanted := slices.BinarySearch(names, name)
		if !wanted {
			v.Wipe()
		}
		return !wanted
	})
	return all
}

func unauthorized(err error) bool { return hasStatus(err, http.StatusUnauthorized) }

// tooSoon reports whether the server was asked too often.
func tooSoon(err error) bool { return hasStatus(err, http.StatusTooManyRequests) }

func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*api.Error](err)
	return ok && e.Status == status
}

// token returns a token that covers the names, asking the server for one if
// there is none. One run at a time asks; those that wait use what it got.
func (d *enrolment) token(ctx context.Context, p *project, w wish) (*token, error) {
	if t := p.get(); t.covers(w.names, early) && !p.stale(t, w.needed) {
		return t, nil
	}
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	old := p.get()
	if old.covers(w.names, early) && !p.stale(old, w.needed) {
		return old, nil
	}
	// A new token ends the old one. With the names of both, runs that want
	// different names do not take it from each other by turns.
	names := w.names
	if old != nil {
		names = union(old.names, names)
	}
	t, err := d.discover(ctx, p, names, w.look)
	switch {
	case err == nil:
		p.recall(nil)
		t.inherit(old)
	case ctx.Err() == nil && (old.covers(w.names, early) || tooSoon(err) && old.covers(w.names, 0)):
		// It was only about names that had no secret, or about the time when the
		// token ends. What it opens goes on.
		t = old.later(err)
		d.log.Info("going on with the token there is", "project", p.name, "without", t.missing(w.needed), "grant", t.waiting, "err", err)
	default:
		return nil, p.recall(err)
	}
	p.put(t)
	return t, nil
}

// inherit lets t be patient where the token before it was, about the same
// names.
func (t *token) inherit(old *token) {
	if old != nil && slices.Equal(old.unmatched, t.unmatched) {
		t.pause = min(2*old.pause, lastPause)
	}
}

// later returns t as it is after the server was asked about its unmatched names,
// and refused.
func (t *token) later(err error) *token {
	next := *t
	next.asked, next.pause, next.waiting = time.Now(), min(2*t.pause, lastPause), ""
	if e := waitsFor(err); e != nil {
		next.waiting = e.Details.GrantID
	}
	return &next
}

// union returns the sorted names of both, unless they are too many for a
// request: then the second.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	if _, err := dotenv.Names(dotenv.Form(all)); err != nil {
		return b
	}
	return all
}

// discover asks the server for a token. It is for a token that this process
// does not have, so it replaces one that the server may still know.
func (d *enrolment) discover(ctx context.Context, p *project, names []string, l look) (*token, error) {
	command := l.said()
	answer, err := inSession(ctx, d.sessions, func(by client.Attester) (api.DiscoverResponse, error) {
		return d.ask(ctx, p.name, names, command, by)
	})
	if err != nil {
		return nil, d.explainDiscover(err, p.name)
	}
	if answer.ProjectToken.Len() == 0 {
		return nil, fmt.Errorf("%w: no project token", client.ErrAnswer)
	}
	d.log.Info("got a token", "project", p.name, "until", answer.TokenExpiresAt.Format(time.RFC3339), "unmatched", len(answer.UnmatchedKeys))
	p.learn(answer)
	unmatched := slices.Clone(answer.UnmatchedKeys)
	slices.Sort(unmatched)
	return &token{
		value: opaque.New(answer.ProjectToken.Reveal()), names: names, expires: answer.TokenExpiresAt.Time,
		unmatched: slices.Compact(unmatched), asked: time.Now(), pause: firstPause,
		unmaskable: answer.Masking == api.MaskOptional,
	}, nil
}

func (d *enrolment) ask(ctx context.Context, project string, names []string, command []byte, by client.Attester) (api.DiscoverResponse, error) {
	p, err := d.key.Prove()
	if err != nil {
		return api.DiscoverResponse{}, err
	}
	return d.client.Discover(ctx, api.DiscoverRequest{
		AgentID: d.key.AgentID, AuthProof: p.AuthProof, TS: &p.TS, Nonce: &p.Nonce,
		Context:         api.DiscoverContext{ProjectName: project, FileContent: dotenv.Form(names)},
		RegenerateToken: new(true), Command: command,
	}, by)
}

// explainDiscover says what to do about a refusal. A request that waits for
// approval is no refusal: its error keeps its details.
func (d *enrolment) explainDiscover(err error, project string) error {
	e, ok := errors.AsType[*api.Error](err)
	if _, refused := errors.AsType[refusal](err); !ok || refused {
		return err // it was about the login, and says so
	}
	wrapped := fmt.Errorf("project %s: %w", project, err)
	switch {
	case errors.Is(err, api.PendingApproval):
		return client.WithHint(err, "an administrator approves it at "+d.client.URL())
	case errors.Is(err, api.GrantDenied):
		return client.WithHint(wrapped, "take the variable out of the .env file, or have an administrator delete the decision: cortex grant list --all, cortex grant delete GRANT --url "+d.client.URL())
	case e.Status == http.StatusUnauthorized:
		return client.WithHint(wrapped, "check that an administrator registered the key of agent "+d.key.AgentID+" and did not freeze it, and this host's clock")
	}
	return wrapped
}
