package store

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// An update is a function that waits to be committed, and then what became of
// it.
type update struct {
	fn    func(*Tx) error
	alive func() error // the caller's ctx.Err
	state atomic.Int32
	done  chan struct{} // closed when the outcome is known

	// The outcome. It is the committer's until done is closed.
	err   error
	end   ending
	value any  // of the panic
	out   bool // it wrote and failed, and is not run again
	alone bool // it ended before anything uncommitted could be seen
	wrote bool
	share Share // of the reserve that it may use
}

// States: whoever moves an update on from waiting decides whether it runs.
const (
	waiting int32 = iota
	taken         // by the committer, which answers it
	left          // by its caller, whose context ended
)

// An ending is the way a function came to its end.
type ending int

const (
	returned ending = iota
	panicked
	exited // by runtime.Goexit, as t.FailNow does
)

func newUpdate(fn func(*Tx) error, alive func() error) *update {
	return &update{fn: fn, alive: alive, done: make(chan struct{})}
}

// run runs the update in c. It reports whether the transaction can go on: not
// if the update wrote something that has to be undone.
func (u *update) run(c *core) bool {
	before := c.writes
	u.alone, c.share = before == 0, 0
	u.call(c)
	u.wrote, u.share = c.writes != before, c.share
	u.out = u.failed() && (u.wrote || u.end == panicked || errors.Is(u.err, ErrDamaged))
	return !u.out
}

// call calls the function and notes how it ended. If that was by Goexit, call
// does not return either, and the goroutine ends.
func (u *update) call(c *core) {
	u.err, u.end, u.out = nil, exited, true
	defer func() {
		if r := recover(); r != nil {
			u.end, u.value = panicked, r
			c.db.log.Error("an update panicked", "stack", string(debug.Stack()))
		}
	}()
	u.err = c.run(u.fn)
	u.end = returned
}

func (u *update) failed() bool { return u.err != nil || u.end != returned }

// finish makes the outcome known.
func (u *update) finish(err error) {
	if err != nil {
		u.err = err
	}
	close(u.done)
}

// result ends the caller's wait in the way the function ended.
func (u *update) result() error {
	switch u.end {
	case panicked:
		panic(u.value)
	case exited:
		runtime.Goexit()
	}
	return u.err
}
