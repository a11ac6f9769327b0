package redteam

import "testing"

// The clock of a program can be set on amd64 only.
var clockMoves = moves{"stale-request": noClock, "clock-set": noClock, "clock-prunes": noClock}

var early []func() outcome

func noClock(t *testing.T) outcome {
	t.Skip("needs linux/amd64")
	return ""
}
