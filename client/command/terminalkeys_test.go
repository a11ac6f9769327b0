package command

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A key has ended a command that ends soon after it by its signal, and no other one.
func TestEndedByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &terminal{modes: &term.State{}, keys: []key{{unix.SIGINT, 3, new(atomic.Int64)}, {unix.SIGQUIT, 28, new(atomic.Int64)}}}
		if s := x.endedBy(unix.SIGINT); s != 0 {
			t.Errorf("%v, and nobody has pressed it", s)
		}
		x.note([]byte("text\x03"))
		if s := x.endedBy(unix.SIGINT); s != unix.SIGINT {
			t.Error(s)
		}
		if s := x.endedBy(unix.SIGQUIT); s != 0 {
			t.Error(s)
		}
		time.Sleep(keyTime)
		if s := x.endedBy(unix.SIGINT); s != 0 {
			t.Errorf("%v, long ago", s)
		}
		x.note([]byte{3})
		x.modes = nil
		if s := x.endedBy(unix.SIGINT); s != 0 {
			t.Errorf("%v, of a terminal that was not taken", s)
		}
	})
}
