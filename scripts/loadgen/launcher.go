package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// perPair is how many calls of each launcher are in one pair, in turn.
const perPair = 20

// calm is the time between two calls of which none is to be in the way of the
// other: after a run its daemon makes ready for the next one.
const calm = 25 * time.Millisecond

// A launcher is a way to start a command.
type launcher struct {
	name     string
	argv     []string
	terminal bool // it has one, and not a pipe
	plain    int  // the launcher that what it adds is added to

	took, added figures // the medians of each pair, ms
}

// pairs measures launchers in turn (ABC ABC …), so often that each has its median
// for each pair. They write to a pipe that is always read, unless they have a
// terminal.
func (h *runHost) pairs(list []*launcher, pause time.Duration) error {
	r, out, err := os.Pipe()
	if err != nil {
		return err
	}
	go io.Copy(io.Discard, r)
	defer r.Close()
	defer out.Close()
	for range h.bench.pairs {
		took := make([]figures, len(list))
		added := make([]figures, len(list))
		for range perPair {
			for i, l := range list {
				time.Sleep(pause) // nothing is awaited: it is how people type
				ms, err := h.call(l, out)
				if err != nil {
					return fmt.Errorf("%s: %w", l.name, err)
				}
				took[i] = append(took[i], ms)
				added[i] = append(added[i], ms-took[l.plain][len(took[l.plain])-1])
			}
		}
		for i, l := range list {
			l.took, l.added = append(l.took, took[i].median()), append(l.added, added[i].median())
		}
	}
	return nil
}

// call returns how long a launcher took, in ms, from the fork until it was
// collected.
func (h *runHost) call(l *launcher, out *os.File) (ms float64, err error) {
	cmd := h.prepare(l)
	cmd.Stdout, cmd.Stderr = out, out
	if l.terminal {
		end, err := onTerminal(cmd)
		if err != nil {
			return 0, err
		}
		defer end()
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	err = cmd.Wait()
	return milliseconds(time.Since(began)), err
}

// prepare returns a call of a launcher, which writes nowhere.
func (h *runHost) prepare(l *launcher) *exec.Cmd {
	cmd := exec.Command(l.argv[0], l.argv[1:]...)
	cmd.Dir, cmd.Env = h.dir, h.env()
	return cmd
}

// onTerminal gives a command a terminal, which end takes away.
func onTerminal(cmd *exec.Cmd) (end func(), err error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(io.Discard, master) // until nobody has the other end
	}()
	return func() {
		slave.Close()
		<-read
		master.Close()
	}, nil
}
