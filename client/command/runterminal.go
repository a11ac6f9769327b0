package command

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sent is told when the daemon keeps its end of the relay: it then is the only one.
func (t *terminal) sent() {
	if t != nil {
		t.far.Close()
	}
}

// started reports whether the daemon has asked for the terminal.
func (t *terminal) started() bool { return t != nil && t.began }

// taken reports whether the command has the terminal.
func (t *terminal) taken() bool { return t != nil && t.modes != nil }

// resume takes the terminal if the command is to have it and this process is in
// the foreground, else leaves it to others. It returns whether the command may
// read from it.
func (t *terminal) resume() (foreground bool) {
	t.began = true
	if !t.wanted || !t.mine() {
		t.release()
		return false
	}
	if foreground = t.take(); !foreground {
		t.hangUp() // the terminal is gone
	}
	return foreground
}

// demands reports whether a signal stops a program because it wanted to use the
// terminal without being in the foreground.
func demands(s syscall.Signal) bool { return s == unix.SIGTTIN || s == unix.SIGTTOU }

// grants reports whether that is all that has stopped the command, and it can
// have the terminal now.
func (t *terminal) grants(s syscall.Signal) bool {
	t.wanted = t.wanted || demands(s)
	return demands(s) && !t.taken() && t.mine()
}

// halt stops this process and returns when it goes on. The terminal's keys stop
// all of its process group; while the terminal is taken, nobody else does that.
func (t *terminal) halt(by syscall.Signal, signals chan os.Signal) {
	group := t.taken() && by != unix.SIGSTOP || demands(by)
	t.settle()
	t.release()
	halt(by, group, signals)
	// What wants the terminal in the background would be stopped at once again, and
	// so is this process; unless nobody would ever have it go on.
	if demands(by) && drain(t.fd()) != nil {
		t.hangUp()
	}
}

// notStopped is how long a process that was sent a signal to stop may go on before
// it is clear that it does: nothing stops what is no job of a shell.
const notStopped = time.Second / 2

// halt stops this process as a signal stops a program, and its process group with
// it or not. It returns when the process goes on. Others do not hear of that.
func halt(by syscall.Signal, group bool, signals chan<- os.Signal) {
	signal.Reset(unix.SIGCONT)
	on := make(chan os.Signal, 1)
	signal.Notify(on, unix.SIGCONT)
	if by == unix.SIGTSTP {
		by = unix.SIGTTOU // once caught, it does not stop a Go program again
	}
	target := unix.Getpid()
	if group {
		target = 0 // all at once: one that comes later could miss that they go on
	}
	unix.Kill(target, by)
	select {
	case <-on:
	case <-time.After(notStopped):
	}
	signal.Stop(on)
	catch(signals, unix.SIGCONT)
}

// end returns when everything is shown that the command printed, or when somebody
// does not want to wait for that.
func (t *terminal) end(signals <-chan os.Signal, late <-chan time.Time) {
	for t != nil {
		select {
		case <-t.shown:
			return
		case <-late:
			return
		case s := <-signals:
			if slices.Contains(ends, s) {
				return
			}
		}
	}
}

// close forgets the terminal.
func (t *terminal) close() {
	if t == nil {
		return
	}
	t.release()
	t.hangUp()
	t.ask.Close()
	t.far.Close()
}
