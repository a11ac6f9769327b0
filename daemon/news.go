package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

// hear listens to the server and does at once what it says, until ctx ends. A
// stream that breaks off is opened again; what happened meanwhile and still
// counts is told then.
func (d *enrolment) hear(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		heard, err := d.listenOnce(ctx)
		switch {
		case hasStatus(err, http.StatusNotFound):
			d.log.Info("this server does not tell of freezes: they count from the next fetch on")
			return
		case heard:
			failures = 0
		default:
			failures++
		}
		if ctx.Err() == nil && !d.outage.met(err) && failures&(failures-1) == 0 {
			d.log.Warn("the server does not say what happens there", "err", err, "failures", failures)
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(retry(failures), client.Silence)):
		}
	}
}

// listenOnce listens to one stream until it ends, and reports whether it said
// anything.
func (d *enrolment) listenOnce(ctx context.Context) (heard bool, err error) {
	now, err := d.sessions.current(ctx)
	if err != nil {
		return false, d.outcast(err)
	}
	for e, err := range d.client.Events(ctx, d.key.AgentID, d.sessions.attester(now)) {
		if unauthorized(err) {
			_, err = d.sessions.replace(ctx, now)
			return false, d.outcast(err)
		}
		if err != nil {
			return heard, err
		}
		heard = true
		if e.Event == api.EventEnd {
			if e.Reason == api.EndSealed {
				d.holds.forget("") // somebody wanted nothing to be given out
			}
			return heard, fmt.Errorf("the server ended the stream: %s", e.Reason)
		}
		d.act(e)
	}
	return heard, nil
}

// outcast does what is to be done where the server has nothing to do with this
// daemon any more: a frozen agent can hear nothing of its freeze.
func (d *enrolment) outcast(err error) error {
	if _, ok := errors.AsType[refusal](err); ok {
		d.holds.forget("")
		d.book.wake()
		d.cut(&cutError{"the server refuses this daemon", err}, func(*underway) bool { return true })
	}
	return err
}

// act does what an event says.
func (d *enrolment) act(e api.Event) {
	switch e.Event {
	case api.EventFreeze:
		d.frozen(e)
	case api.EventRevoke:
		d.holds.forget(e.ProjectName)
		d.projects.each(e.ProjectName, (*project).forget)
	case api.EventGrantDecided:
		d.holds.forget(e.ProjectName)
		d.projects.each(e.ProjectName, func(p *project) { p.settle(e.GrantID) })
		d.projects.each(e.ProjectName, (*project).askAgain)
	case api.EventUnfreeze, api.EventSecretChanged:
		d.holds.forget(e.ProjectName)
		d.projects.each(e.ProjectName, (*project).askAgain)
	case api.EventResync:
		d.projects.heed(e.OnFreeze)
		d.holds.forget("")
		d.projects.each("", (*project).askAgain)
	case api.EventOpen:
		d.log.Info("listening to the server")
		d.outage.met(nil)
		d.holds.doubt()
		d.book.wake()
		d.projects.each("", (*project).askAgain)
	case api.EventSessionEnded:
		d.holds.doubt() // another one has been opened, or will tell why not
	}
}

// frozen forgets what is cut off, and ends what runs with it where the project
// says so.
func (d *enrolment) frozen(e api.Event) {
	d.log.Warn("frozen", "kind", e.Kind, "name", e.Name, "project", e.ProjectName)
	d.holds.forget(e.ProjectName)
	if len(e.EnvVarNames) == 0 {
		d.projects.each(e.ProjectName, (*project).forget)
	}
	d.projects.heed(e.OnFreeze)
	d.cut(&cutError{what: fmt.Sprintf("%s %s was frozen", e.Kind, e.Name)}, func(u *underway) bool {
		return (e.ProjectName == "" || e.ProjectName == u.project) && u.has(e.EnvVarNames)
	})
}

// cut ends the programs that are meant, if their projects say that they end.
func (d *enrolment) cut(why *cutError, meant func(*underway) bool) {
	for _, u := range d.projects.underway.all() {
		if p := d.projects.known(u.project); p != nil && p.endsWhenCut() && meant(u) {
			d.log.Warn("ending a program", "project", u.project, "why", why)
			u.end(why)
		}
	}
}

// A cutError is the cause of the end of a program that was cut off.
type cutError struct {
	what string
	err  error // nil where the server said it in so many words
}

// Error says what happened, and what with it.
func (e *cutError) Error() string {
	if e.err != nil {
		return e.what + ": " + e.err.Error()
	}
	return e.what
}

// Unwrap returns what the server said, for its hint.
func (e *cutError) Unwrap() error { return e.err }

// cutOff reports whether a program ended because it was cut off.
func cutOff(ctx context.Context) bool {
	_, ok := errors.AsType[*cutError](context.Cause(ctx))
	return ok
}

// each calls do with the project of that name, if it is known; with all of them
// for "".
func (ps *projects) each(name string, do func(*project)) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.all {
		if name == "" || name == p.name {
			do(p)
		}
	}
}

// heed keeps what the server says of projects and freezes.
func (ps *projects) heed(onFreeze map[string]string) {
	for name, rule := range onFreeze {
		if p := ps.known(name); p != nil {
			p.endsBecomes(rule == api.FreezeEnds)
		}
	}
}

// forget drops the token, whatever it is.
func (p *project) forget() { p.drop(p.get()) }

// askAgain has the server asked about names without a secret at the next run.
func (p *project) askAgain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
}

// stale reports whether it is time to ask the server for another token than t.
func (p *project) stale(t *token, needed []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.stale(needed) || p.changed && len(t.missing(needed)) > 0
}

// endsWhenCut reports whether the project's programs end when they are cut off.
func (p *project) endsWhenCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends
}

// endsBecomes keeps what the server said of that last.
func (p *project) endsBecomes(ends bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends = ends
}

// learn keeps what the server said of the project with a token.
func (p *project) learn(answer api.DiscoverResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends = answer.OnFreeze == api.FreezeEnds
	if p.commands = answer.Commands; p.commands == api.CommandsAny {
		p.commands = ""
	}
}
