package daemon

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// A project is what the daemon knows about one.
type project struct {
	name string
	turn chan struct{} // holds a token while nobody asks the server for one

	// What each user was told once.
	unmasked     said[string] // variables that are not masked
	stripped     said[string] // variables that pinned commands run without
	strippedPath said[string] // directories of PATH, so
	withheld     said[int]    // descriptors that no program gets
	piped        said[int]    // descriptors that are pipes for programs

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

// wasCut reports whether the project had a token that the server does not accept any more.
func (p *project) wasCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// vain reports whether nothing has come of a project, and nobody is asking for it: it has
// no token, or one that opens nothing. Its programs may run all the same.
func (p *project) vain() bool {
	t := p.get()
	return (t == nil || len(t.unmatched) == len(t.names)) && len(p.turn) > 0
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

// settle notes that a request was decided, or forgotten, at the server.
func (p *project) settle(grantID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending, p.decided = nil, grantID
}

// commandsAre returns what the project says of commands: "" for any.
func (p *project) commandsAre() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commands
}

func (p *project) commandsBecome(mode string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands = mode
}

// runs notes a command that the server said yes to.
func (p *project) runs(c pinned.Command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = &c
}

// lastRun returns the last of these, nil if there is none.
func (p *project) lastRun() *pinned.Command {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.allowed
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

// maxProjects bounds what clients can make the daemon remember. Those that came to
// nothing are forgotten first, unless something of them is underway: what becomes of that
// when it is cut off is the project's to say.
const maxProjects = 4096

// projects are all that were asked for. The zero value is empty.
type projects struct {
	underway allUnderway

	mu  sync.Mutex // guards all
	all map[string]*project
}

// of returns the project of that name, which is made if nobody has asked for it yet.
func (ps *projects) of(name string) (*project, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p, ok := ps.all[name]; ok {
		return p, nil
	}
	if len(ps.all) >= maxProjects {
		busy := ps.underway.projects()
		maps.DeleteFunc(ps.all, func(name string, p *project) bool { return p.vain() && !busy[name] })
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

// known returns the project of that name, nil if nobody has asked for it.
func (ps *projects) known(name string) *project {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.all[name]
}

// ran notes that a program of a user's has the values of a project.
func (ps *projects) ran(name string, uid int) {
	if p := ps.known(name); p != nil {
		p.ran(uid)
	}
}

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
