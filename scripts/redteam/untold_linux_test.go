package redteam

import (
	"os"
	"testing"
	"time"
)

// What is tried with what was written down while the vault was away.
var awayMoves = moves{
	"journal-deleted": journalDeleted,
}

// The journal is deleted before its daemon can tell what is in it: while the daemon
// runs, and after it was killed.
func journalDeleted(t *testing.T) outcome {
	t.Parallel()
	recorded := func(killed bool) bool {
		o := newOutage(t)
		o.cut()
		if !o.has(t) {
			t.Fatal("it does not go on in an outage either")
		}
		if killed {
			o.daemon.Kill()
		}
		if err := os.Remove(o.journal(t)); err != nil {
			t.Fatal(err)
		}
		o.mend(t)
		if killed {
			o.start(t)
		}
		for end := time.Now().Add(patience); !o.has(t); {
			if time.Now().After(end) {
				t.Fatal("the daemon does not come back")
			}
		}
		for end := time.Now().Add(patience / 30); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if len(o.trail(t, "offline_use")) > 0 {
				return true
			}
		}
		t.Logf("killed %v: %q", killed, alarmsOf(t, o.site))
		return false
	}
	running, killed := recorded(false), recorded(true)
	t.Logf("it is on the record where the daemon runs: %v, where it was killed: %v", running, killed)
	switch {
	case running && killed:
		return stopped
	case running:
		return limited
	}
	return open
}
