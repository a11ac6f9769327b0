// Package attack tries on a host what docs/threat-model.md says an attacker may
// try there, and reports what became of each move: what stopped it, or that nothing
// did.
//
// It needs a daemon that is logged in, and no administrator: what it tries to get at
// are canaries, values that the daemon makes up for a run and tells nobody, and that go
// the way of secrets. Whoever finds one has found a way to a secret. Beside each stands a
// control, a text that looks alike and that nothing keeps back: a move that does not
// find its control could not have found the canary, and counts as not tried.
//
// No move harms the host. What is killed is started here, what is renamed is put
// back, and what is read goes no further than to a search for canaries.
//
// Follow an attack through the package: moves_linux.go has all moves and what is
// expected of them, target_linux.go starts what they are tried on, and inside_linux.go has what is done
// inside of a run. It works on Linux.
package attack

import (
	"context"
	"errors"
	"io"
	"strings"
)

// An Outcome is what becomes of a move.
type Outcome string

// The outcomes, from the best to the worst.
const (
	Stopped Outcome = "stopped" // it does not work
	Limited Outcome = "limited" // it works up to a point
	Alarm   Outcome = "alarm"   // it works, and somebody hears of it
	Open    Outcome = "open"    // nothing stops it
)

// worse reports whether an outcome is worse than another.
func (o Outcome) worse(than Outcome) bool { return severity[o] > severity[than] }

var severity = map[Outcome]int{Stopped: 0, Limited: 1, Alarm: 2, Open: 3}

// A Move is something that an attacker may try. The same id stands in
// docs/threat-model.md.
type Move struct {
	ID string
	// Position is where the attacker stands, as the threat model has it.
	Position string
	// Tries is what it is, for people.
	Tries string
	// Personal and Isolated are what the threat model says becomes of it.
	Personal, Isolated Outcome
	// Root tells that nothing of it is kept from root.
	Root bool
	// Fix is what somebody can do about it where it is open.
	Fix string

	try func(context.Context, *target) (finding, error)
}

// A finding is what became of a move, with a sentence that says why.
type finding struct {
	outcome  Outcome
	evidence string
	excused  string // why that is what the threat model says all the same
}

// errUntried is in the chain of the error about a move that could not be tried.
var errUntried = errors.New("not tried")

// Config is what an attack is about.
type Config struct {
	// Program is the path of this program, as commands of a run can execute it.
	Program string
	// Sock is the daemon's socket, and StateDir where its key and its login lie.
	Sock, StateDir string
	// Project has the say over masking, if it is not empty, and is tried with commands that
	// nobody has approved for it.
	Project string
	// Isolated tells that the daemon is another user's.
	Isolated bool
	// Command is what to attack while it runs. If empty, a command of our own. With a
	// Project, changes of it are tried, if it is approved for that.
	Command []string
	// Progress hears what is under way, a line for people at a time.
	Progress func(string)
	// Only are the ids of the moves to try. If empty, all.
	Only []string
}

// A Result is what became of a move.
type Result struct {
	ID       string  `json:"id"`
	Position string  `json:"position"`
	Tries    string  `json:"tries"`
	Expected Outcome `json:"expected"`
	// Outcome is absent where the move could not be tried.
	Outcome Outcome `json:"outcome,omitempty"`
	// Evidence says what stopped it, how it got through, or why it was not tried.
	Evidence string `json:"evidence"`
	// OK is false where more got through than the threat model says.
	OK  bool   `json:"ok"`
	Fix string `json:"fix,omitempty"`
}

// A Report is what became of all moves.
type Report struct {
	Install string `json:"install"` // personal or isolated
	Root    bool   `json:"root"`    // from whom nothing is kept
	// Target is what the moves were tried on.
	Target  string   `json:"target"`
	Results []Result `json:"moves"`
}

// OK reports whether no more got through than the threat model says.
func (r Report) OK() bool {
	for _, m := range r.Results {
		if !m.OK {
			return false
		}
	}
	return true
}

// Run tries the moves. It fails where there is no daemon to attack.
func Run(ctx context.Context, c Config) (Report, error) { return run(ctx, c) }

// Inside does, as a command inside of a run, what a move wants done there, and
// returns the exit status. It is for Run, and for nobody else.
func Inside(args []string, in io.Reader, out, errs io.Writer) int { return inside(args, in, out, errs) }

// Moves returns all moves there are here.
func Moves() []Move { return append(moves(), pinMoves()...) }

// expected returns what the threat model says of a move.
func (m Move) expected(c Config, root bool) Outcome {
	switch {
	case root && m.Root:
		return Open
	case c.Isolated:
		return m.Isolated
	}
	return m.Personal
}

// judge turns what became of a move into a result.
func (m Move) judge(c Config, root bool, f finding, err error) Result {
	r := Result{ID: m.ID, Position: m.Position, Tries: m.Tries, Expected: m.expected(c, root), Outcome: f.outcome, Evidence: f.evidence, OK: true}
	switch {
	case err != nil:
		r.Outcome, r.Evidence = "", strings.TrimPrefix(err.Error(), errUntried.Error()+": ")
	case f.outcome.worse(r.Expected) && f.excused != "":
		r.Evidence += ": " + f.excused
	default:
		r.OK = !f.outcome.worse(r.Expected)
	}
	if r.Outcome == Open || !r.OK {
		r.Fix = m.Fix
	}
	return r
}
