package spawn

import (
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// A console is the program's terminal, from the monitor's side of it: ttyFD, which
// stays open, or there would be an end whenever nobody else has it.
type console struct {
	master     int
	relay      int // to the launcher
	caller     int // the caller's terminal
	foreground bool

	adopted chan error    // what came of [watch.adopt]
	stops   [2]int        // a pipe: signals that have stopped the program, to be told in their turn
	report  func(s byte)  // tells one
	typed   chan struct{} // closed when nothing can be typed any more
	program int           // the process group it began with
	group   int           // that of its process groups that is, or was, in the foreground
}

// consoleFiles is the number of descriptors that make a console.
const consoleFiles = 3

func newConsole(files []int, foreground bool) (*console, error) {
	c := &console{
		master: files[0], relay: files[1], caller: files[2], foreground: foreground,
		adopted: make(chan error, 1), typed: make(chan struct{}),
	}
	if err := unix.Pipe(c.stops[:]); err != nil {
		return nil, err
	}
	syscall.CloseOnExec(c.stops[0])
	syscall.CloseOnExec(c.stops[1])
	return c, unix.SetNonblock(c.master, true)
}

// lead makes a terminal the session's. What it sends is for the program, also
// while that is in the background and the monitor is not; so is a hangup.
func lead() error {
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU, unix.SIGTSTP, unix.SIGHUP)
	return unix.IoctlSetInt(ttyFD, unix.TIOCSCTTY, 0)
}

// adopt puts the program on its terminal, before it is there.
func (w *watch) adopt(c *console) error {
	if w.noTerminal != nil {
		return w.noTerminal
	}
	c.program, c.group, c.report = w.program, w.program, func(s byte) { w.report(reportStopped, s) }
	w.console = c
	return c.yield(c.foreground)
}

// yield gives the foreground to the program, or takes it.
func (c *console) yield(foreground bool) error {
	switch {
	case c == nil:
		return nil
	case !foreground:
		c.occupied()
		return unix.IoctlSetPointerInt(ttyFD, unix.TIOCSPGRP, unix.Getpgrp())
	case c.occupied():
		return nil
	}
	err := unix.IoctlSetPointerInt(ttyFD, unix.TIOCSPGRP, c.group)
	if err != nil && c.group != c.program { // that one is gone
		c.group = c.program
		err = unix.IoctlSetPointerInt(ttyFD, unix.TIOCSPGRP, c.group)
	}
	return err
}

// occupied reports whether the program has the foreground, and notes which of its
// process groups that is.
func (c *console) occupied() bool {
	group, err := unix.IoctlGetInt(ttyFD, unix.TIOCGPGRP)
	if err != nil || group == unix.Getpgrp() {
		return false
	}
	c.group = group
	return true
}

// stopped tells that the program was stopped, once everything is passed on that
// it printed before.
func (c *console) stopped(s byte) {
	c.occupied()
	if _, err := unix.Write(c.stops[1], []byte{s}); err != nil {
		c.report(s)
	}
}

// resume lets the program go on, and what of it was in the foreground.
func (w *watch) resume() {
	if c := w.console; c != nil && c.group != w.program {
		unix.Kill(-c.group, unix.SIGCONT)
	}
	unix.Kill(-w.program, unix.SIGCONT)
}

// resized makes the console as large as the caller's terminal. Its foreground
// hears of it from the system.
func (w *watch) resized() {
	if c := w.console; c != nil {
		resize(c.master, c.caller)
		if c.occupied() {
			return
		}
	}
	unix.Kill(-w.program, unix.SIGWINCH)
}
