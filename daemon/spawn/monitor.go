package spawn

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a monitor reports, in two bytes: what, and a number.
const (
	reportExited  = 'X' // the program's exit status; the last report
	reportKilled  = 'K' // the signal that ended the program; the last report
	reportStopped = 'S' // the signal that stopped the program
	reportFailed  = 'F' // the errno why there is no child; the last report
	reportEmpty   = 'E' // nothing of the program is left; what it printed may still be on its way
	reportLost    = 'L' // the errno why some of the output is lost; before the last
	reportBare    = 'B' // what it lacks; the first report
)

// again is how often the killing is repeated while nothing is heard of those
// killed: what was forked at the wrong moment may have been overlooked.
const again = 100 * time.Millisecond

// monitor starts the child and watches over it.
func monitor() int {
	// The child is killed when the thread that forked it ends, so that one
	// stays until the end.
	runtime.LockOSThread()
	syscall.CloseOnExec(controlFD)
	syscall.CloseOnExec(specFD)
	syscall.CloseOnExec(outputFD)
	syscall.CloseOnExec(ttyFD)
	syscall.CloseOnExec(ledgerFD)
	lacking := protectMonitor()

	// Caught and not ignored: ignoring would be inherited.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGCHLD, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT)

	w := &watch{control: os.NewFile(controlFD, "control"), noTerminal: lead()}
	if lacking != 0 {
		w.report(reportBare, byte(lacking))
	}
	if err := w.start(); err != nil {
		return w.fail(err)
	}
	unix.Close(specFD)
	output, err := newPumps()
	if err != nil {
		return w.fail(err) // and the child goes with it
	}
	commands := w.commands()
	w.loop(signals, commands, output.consoles)
	w.report(reportEmpty, 0)
	output.unexpose() // before anybody hears of the end
	abandoned := w.abandoned || w.exit.Signaled() && deadly(w.exit.Signal())
	if errno := output.finish(commands, abandoned); errno != 0 {
		w.report(reportLost, byte(errno))
	}
	if w.exit.Signaled() {
		w.report(reportKilled, byte(w.exit.Signal()))
	} else {
		w.report(reportExited, byte(w.exit.ExitStatus()))
	}
	return 0
}

func (w *watch) fail(err error) int {
	errno, _ := errors.AsType[syscall.Errno](err)
	w.report(reportFailed, byte(errno))
	return 1
}

// The environments of monitors and children. Each thread fewer is one that need
// not be started, and stopped when a program is executed. But with one processor
// only the runtime wakes up all the time while a pump waits for a pipe, to take it
// away for others.
var (
	monitorEnv = []string{"GOMAXPROCS=2"}
	childEnv   = []string{"GOMAXPROCS=1"}
)

// A watch is a monitor at work. Signalling and reaping happen on one
// goroutine, so that no process id can be another's by the time it is used.
type watch struct {
	control *os.File
	program int // 0 once reaped
	exit    unix.WaitStatus
	ending  bool     // everything is to be killed
	console *console // nil if the program has no terminal

	noTerminal error // why it cannot have one

	abandoned bool // nobody waits for what the program printed
}

func (w *watch) start() error {
	pid, err := syscall.ForkExec(executable(), []string{Name, roleChild}, &syscall.ProcAttr{
		Env:   slices.Concat(childEnv, identity()),
		Files: []uintptr{0, 1, 2, specFD},
		Sys:   childAttr(),
	})
	w.program = pid
	return err
}

// commands delivers the bytes of the control socket, each the number of a
// signal, perhaps with Foreground, and is closed with it.
func (w *watch) commands() <-chan syscall.Signal {
	ch := make(chan syscall.Signal)
	go func() {
		defer close(ch)
		b := make([]byte, 1)
		for {
			if n, err := w.control.Read(b); n == 0 || err != nil {
				return
			}
			ch <- syscall.Signal(b[0])
		}
	}()
	return ch
}

// loop returns when no process is left.
func (w *watch) loop(signals <-chan os.Signal, commands <-chan syscall.Signal, consoles <-chan *console) {
	var tick <-chan time.Time // while killing
	for {
		select {
		case s := <-signals:
			if s != unix.SIGCHLD {
				w.ending, w.abandoned = true, true
			}
		case s, ok := <-commands:
			if !ok {
				commands = nil
				w.ending, w.abandoned = true, true
				break
			}
			w.deliver(s)
		case c := <-consoles:
			c.adopted <- w.adopt(c)
		case <-tick:
		}
		if !w.reap() {
			return
		}
		if w.ending {
			w.kill()
			tick = time.After(again)
		}
	}
}

// reap collects what has ended and reports whether anything is left.
func (w *watch) reap() bool {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WUNTRACED, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return false // unix.ECHILD
		case pid == 0:
			return true
		case pid != w.program:
		case status.Stopped():
			w.stopped(byte(status.StopSignal()))
		default:
			w.program, w.exit, w.ending = 0, status, true
			killGroup(pid)
		}
	}
}

// stopped tells that the program was stopped.
func (w *watch) stopped(s byte) {
	if w.console != nil {
		w.console.stopped(s)
		return
	}
	w.report(reportStopped, s)
}

// deliver passes a signal on: what a terminal would send goes to the whole
// process group, what a person sends to one process to the program alone.
func (w *watch) deliver(s syscall.Signal) {
	if w.program == 0 {
		w.abandoned = w.abandoned || deadly(s)
		return
	}
	switch s {
	case unix.SIGCONT, unix.SIGCONT | Foreground:
		w.console.yield(s&Foreground != 0)
		w.resume()
	case unix.SIGWINCH, unix.SIGWINCH | Foreground:
		w.console.yield(s&Foreground != 0)
		w.resized()
	case unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGTSTP:
		unix.Kill(-w.program, s)
	default:
		unix.Kill(w.program, s)
	}
}

// kill kills what is directly below. What these leave behind is directly below
// next time: see the loop.
func (w *watch) kill() {
	for _, pid := range w.below() {
		unix.Kill(pid, unix.SIGKILL)
	}
}

func (w *watch) report(what, number byte) {
	w.control.Write([]byte{what, number}) // if nobody listens, nobody minds
}
