package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/opaque"
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
