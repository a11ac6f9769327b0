package command

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A key has ended a command that ends by its signal, however long that takes to clean up, and
// no other one.
func TestEndedByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &terminal{modes: &term.State{}, keys: []key{{unix.SIGINT, 3, new(atomic.Bool)}, {unix.SIGQUIT, 28, new(atomic.Bool)}}}
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
		time.Sleep(time.Hour)
		if s := x.endedBy(unix.SIGINT); s != unix.SIGINT {
			t.Errorf("%v, after a while", s)
		}
		x.note([]byte{3})
		x.modes = nil
		if s := x.endedBy(unix.SIGINT); s != 0 {
			t.Errorf("%v, of a terminal that was not taken", s)
		}
	})
}
