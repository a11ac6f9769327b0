package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/server/api"
)

// Names that had no secret are asked about again, less and less often.
func TestStaleToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := &token{names: []string{"A", "B", "C"}, unmatched: []string{"B", "C"}, asked: time.Now(), pause: firstPause}
		if got := tok.missing([]string{"A", "C", "D"}); !slices.Equal(got, []string{"C"}) {
			t.Errorf("missing %q", got)
		}
		time.Sleep(firstPause - time.Nanosecond)
		if tok.stale([]string{"B"}) {
			t.Error("stale too early")
		}
		time.Sleep(time.Nanosecond)
		if !tok.stale([]string{"B"}) || tok.stale([]string{"A"}) || tok.stale(nil) {
			t.Error("only who needs a missing name has to ask")
		}
		later := tok.later(errors.New("away"))
		if later.stale([]string{"B"}) || later.pause != 2*firstPause || later.waiting != "" || tok.waiting != "" {
			t.Errorf("%+v", later)
		}
		pending := &api.Error{Code: api.PendingApproval, Details: &api.Details{GrantID: "g"}}
		for range 20 {
			later = later.later(pending)
		}
		if later.waiting != "g" || later.pause != lastPause {
			t.Errorf("%+v", later)
		}
		same, other := &token{unmatched: []string{"B", "C"}, pause: firstPause}, &token{unmatched: []string{"C"}, pause: firstPause}
		same.inherit(tok)
		other.inherit(tok)
		other.inherit(nil)
		if same.pause != 2*firstPause || other.pause != firstPause {
			t.Errorf("pauses %s and %s", same.pause, other.pause)
		}
	})
}

// Names that came to nothing do not keep others out, and do not take what is in use
// with them.
func TestProjectsInVainAreForgotten(t *testing.T) {
	var ps projects
	kept, err := ps.of("kept")
	if err != nil {
		t.Fatal(err)
	}
	kept.put(&token{names: []string{"A", "B"}, unmatched: []string{"B"}})
	asking, err := ps.of("asking")
	if err != nil {
		t.Fatal(err)
	}
	<-asking.turn
	for i := range 2 * maxProjects {
		p, err := ps.of(fmt.Sprint("made-up-", i))
		if err != nil {
			t.Fatal(i, err)
		}
		if i%2 == 0 {
			p.put(&token{names: []string{"A"}, unmatched: []string{"A"}})
		}
	}
	for _, p := range []*project{kept, asking} {
		if again, err := ps.of(p.name); err != nil || again != p {
			t.Errorf("%s was forgotten: %v", p.name, err)
		}
	}
	if n := len(ps.all); n > maxProjects {
		t.Errorf("%d are remembered", n)
	}
}

// What was decided does not wait any more, also before somebody runs the project again.
func TestDecidedIsNotPending(t *testing.T) {
	var e enrolment
	p, err := e.projects.of("app")
	if err != nil {
		t.Fatal(err)
	}
	waits := func(id string) error {
		return &api.Error{Code: api.PendingApproval, Details: &api.Details{GrantID: id}}
	}
	if p.recall(waits("g-1")); p.describe().GrantID != "g-1" {
		t.Error(p.describe())
	}
	e.act(api.Event{Event: api.EventGrantDecided, ProjectName: "app", GrantID: "g-1"})
	if got := p.describe().GrantID; got != "" {
		t.Errorf("%q is told to wait", got)
	}
	p.put(&token{waiting: "g-1"})
	if got := p.describe().GrantID; got != "" {
		t.Errorf("%q is told to wait, by a token", got)
	}
	if p.recall(waits("g-2")); p.describe().GrantID != "g-2" {
		t.Error(p.describe())
	}
}

// A project whose token is gone because the server took it was run all the same.
func TestCutIsNotNew(t *testing.T) {
	var p project
	for _, lose := range []func(){p.forget, func() { p.drop(p.get()) }} {
		p.put(&token{})
		if p.wasCut() {
			t.Error("cut off with a token")
		}
		if lose(); !p.wasCut() {
			t.Error("not cut off without the token it had")
		}
	}
	if p = (project{}); p.wasCut() {
		t.Error("a new one is cut off")
	}
	if p.forget(); p.wasCut() {
		t.Error("one that never had a token is cut off")
	}
}

// However many names are made up, a project is not forgotten while a program of it runs: a
// freeze would not end that any more. Neither does it matter that its token is gone, or that
// it opens nothing.
func TestProjectsUnderwayAreNotForgotten(t *testing.T) {
	e := enrolment{Daemon: &Daemon{log: slog.New(slog.DiscardHandler)}}
	var frozen []string
	run := func(name string, tok *token) (leave func()) {
		p, err := e.projects.of(name)
		if err != nil {
			t.Fatal(err)
		}
		p.put(tok)
		p.learn(api.DiscoverResponse{OnFreeze: api.FreezeEnds})
		req := ipc.Request{Project: name}
		return e.projects.underway.add(newUnderway(req, func(error) { frozen = append(frozen, name) }))
	}
	run("revoked", &token{names: []string{"A"}})
	e.act(api.Event{Event: api.EventRevoke, ProjectName: "revoked"})
	run("nothing", &token{})
	over := run("over", &token{})
	over()
	flood := func() {
		for i := range 2 * maxProjects {
			if _, err := e.projects.of(fmt.Sprint("made-up-", i)); err != nil {
				t.Fatal(i, err)
			}
		}
	}
	flood()
	if e.projects.known("over") != nil {
		t.Error("what has ended keeps its project")
	}
	e.act(api.Event{Event: api.EventFreeze, Kind: api.KindAgent, Name: "bot"})
	if slices.Sort(frozen); !slices.Equal(frozen, []string{"nothing", "revoked"}) {
		t.Errorf("a freeze ended %q", frozen)
	}
}

// A change of the settings is known to a daemon that hears of no freeze.
func TestChangedSettingsCount(t *testing.T) {
	var e enrolment
	p, err := e.projects.of("app")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{api.FreezeEnds, api.FreezeLeaves} {
		e.act(api.Event{Event: api.EventResync, OnFreeze: map[string]string{"app": rule}})
		e.act(api.Event{Event: api.EventResync})
		if p.endsWhenCut() != (rule == api.FreezeEnds) {
			t.Errorf("not %s", rule)
		}
	}
}

// What a freeze says of running commands counts, and where it says nothing, as from older
// servers, what came with the token.
func TestFreezeSaysWhatEnds(t *testing.T) {
	for name, c := range map[string]struct {
		before string
		event  map[string]string
		ends   bool
	}{
		"older server, end":   {api.FreezeEnds, nil, true},
		"older server, leave": {"", nil, false},
		"end by now":          {"", map[string]string{"app": api.FreezeEnds, "other": api.FreezeLeaves}, true},
		"leave by now":        {api.FreezeEnds, map[string]string{"app": api.FreezeLeaves, "": api.FreezeEnds}, false},
		"of another project":  {"", map[string]string{"other": api.FreezeEnds}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := enrolment{Daemon: &Daemon{log: slog.New(slog.DiscardHandler)}}
			p, err := e.projects.of("app")
			if err != nil {
				t.Fatal(err)
			}
			p.learn(api.DiscoverResponse{OnFreeze: c.before})
			ended := false
			e.projects.underway.add(newUnderway(ipc.Request{Project: "app"}, func(error) { ended = true }))
			e.act(api.Event{Event: api.EventFreeze, Kind: api.KindAgent, Name: "bot", OnFreeze: c.event})
			if ended != c.ends {
				t.Errorf("ended: %v", ended)
			}
			if p.endsWhenCut() != c.ends {
				t.Error("it is not known when the server says nothing more")
			}
		})
	}
}
