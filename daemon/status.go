package daemon

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/harden"
	"github.com/cortex-auth/cortex/vault/sshauth"
)

// status answers a status request. There is no token in it.
func (d *Daemon) status() ipc.Status {
	s := ipc.Status{OK: true, PID: os.Getpid(), Version: d.cfg.Version, Runs: int(d.running.Load()), Hardening: []ipc.Measure{}, Projects: []ipc.Project{}, Held: []ipc.Held{}, Failures: d.failures.latest()}
	for _, m := range append(d.cfg.Hardening.Now().Measures, d.starter.Protection()) {
		s.Hardening = append(s.Hardening, ipc.Measure(m))
	}
	e, release, err := d.enrolled()
	if err != nil {
		s.Problem, s.Hint = err.Error(), client.Hint(err)
		return s
	}
	defer release()
	e.describe(&s)
	return s
}

// describe adds who the daemon is for the server, and what it has from it.
func (d *enrolment) describe(s *ipc.Status) {
	s.AgentID, s.ServerURL = d.key.AgentID, d.client.URL()
	now, login, problem := d.sessions.state()
	s.Session = &ipc.Login{ServerURL: login.ServerURL, AgentID: login.AgentID, Proved: login.Proved}
	if !login.Proved {
		s.Session.ExpiresAt = login.ExpiresAt().UTC().Format(time.RFC3339)
	}
	if now.live() {
		s.AttestSessionID, s.ExpiresAt = now.id, now.expires.UTC().Format(time.RFC3339)
	}
	if _, refused := errors.AsType[refusal](problem); problem != nil && (refused || !now.live()) {
		s.Problem, s.Hint = problem.Error(), client.Hint(problem)
	}
	s.Projects, s.Server = d.projects.describe(), d.contact()
	if began := d.outage.began(); !began.IsZero() {
		s.AwaySince = began.UTC().Format(time.RFC3339)
	}
	untils := d.holds.untils()
	for _, name := range slices.Sorted(maps.Keys(untils)) {
		s.Held = append(s.Held, ipc.Held{Project: name, Until: untils[name].UTC().Format(time.RFC3339)})
	}
	s.Journal = d.book.left()
}

// contact returns what is known of the server.
func (d *enrolment) contact() *ipc.Server {
	out := &ipc.Server{}
	if p := d.client.Pin(); p != nil {
		out.Key = p.Key.String()
	}
	c := d.client.Contact()
	if !c.At.IsZero() {
		out.Heard = c.At.UTC().Format(time.RFC3339)
	}
	if c.Clock {
		out.ClockOff = new(int64(c.Off / time.Second))
	}
	return out
}

// describe returns the projects that have a token or wait for one, by name.
func (ps *projects) describe() []ipc.Project {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	list := []ipc.Project{}
	for _, name := range slices.Sorted(maps.Keys(ps.all)) {
		if p := ps.all[name].describe(); p.ExpiresAt != "" || p.GrantID != "" {
			list = append(list, p)
		}
	}
	return list
}

func (p *project) describe() ipc.Project {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := ipc.Project{Name: p.name}
	if t := p.token; t != nil {
		out.ExpiresAt, out.GrantID = t.expires.UTC().Format(time.RFC3339), t.waiting
	}
	if e := waitsFor(p.pending); e != nil {
		out.GrantID = e.Details.GrantID
	}
	if out.GrantID == p.decided {
		out.GrantID = ""
	}
	return out
}

// clients reports whether an error is for its client alone: what it asked for is not to be
// had, or not now. What waits for approval is told with the projects, as long as it does.
func clients(err error) bool {
	_, ended := errors.AsType[harden.Ended](err)
	_, start := errors.AsType[*spawn.StartError](err)
	_, seat := errors.AsType[*seatError](err)
	return ended || start || seat || waitsFor(err) != nil || errors.Is(err, spawn.ErrBusy) ||
		errors.Is(err, errMustMask) || errors.Is(err, errWrongServer) || errors.Is(err, ipc.ErrMalformed) ||
		errors.Is(err, sshauth.ErrRefused)
}

// failures are the latest. The zero value is none.
type failures struct {
	mu  sync.Mutex // guards all
	all []ipc.Failure
}

// maxFailures is how many are remembered.
const maxFailures = 8

// add remembers a failure. One that repeats the latest takes its place.
func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) > 0 && f.all[0].Error == err.Error() {
		f.all = f.all[1:]
	}
	f.all = slices.Insert(f.all, 0, ipc.Failure{At: time.Now().UTC().Format(time.RFC3339), Error: err.Error()})
	f.all = f.all[:min(len(f.all), maxFailures)]
}

func (f *failures) latest() []ipc.Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]ipc.Failure{}, f.all...)
}
