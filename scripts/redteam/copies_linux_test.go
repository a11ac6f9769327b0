package redteam

import "testing"

// What is tried with a script whose command gets copies of its files.
var copyMoves = map[string]hostMove{"racing-script-sealed": racingSealed}

// Another script takes its place when its interpreter is about to run, and is written
// into it while it is read.
func racingSealed(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	exchange := g.scripts(t)
	command := []string{"./prog"}
	g.mode(t, "enforce")
	g.approveAs(t, withCopies, command...)
	race := &race{g, command, exchange, exchange}
	r := race.atExecution(t, "shell")
	if said(r, "evil") {
		t.Logf("at its execution: %+v", r)
		return open
	}
	if !said(r, "good") || !g.has(r) {
		t.Fatalf("at its execution it fails: %+v", r)
	}
	if r := g.changedWhileRead(t, withCopies); said(r, "evil") {
		t.Logf("while it is read: %+v", r)
		return open
	}
	return stopped
}
