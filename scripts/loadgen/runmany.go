package main

import (
	"errors"
	"fmt"
	"time"
)

// atOnce is how many commands run at once.
const atOnce = 100

// many starts commands at once, and looks at what is left of them.
func (h *runHost) many() error {
	var took, before, after figures
	failed := 0
	for range h.bench.pairs {
		memory, err := h.daemon.anonymous()
		if err != nil {
			return err
		}
		before = append(before, mebibytes(memory))
		ms, bad := h.together()
		took, failed = append(took, ms), failed+bad
		if err := h.settled(); err != nil {
			return err
		}
		if memory, err = h.daemon.anonymous(); err != nil {
			return err
		}
		after = append(after, mebibytes(memory))
	}
	t := h.bench.table
	t.row(fmt.Sprintf("%d runs at once, until the last has ended, ms", atOnce), took.text("%.0f"), "", "", "", "")
	t.row("those that failed, and processes left behind", fmt.Sprint(failed, ", 0"), "", "", "0, 0", "")
	t.row("memory of the daemon after them beside before, MiB", after.text("%.1f"), before.text("%.1f"), after.ratios(before).text("%.2f"), "", "")
	return nil
}

// together starts all of them and returns when the last one has ended.
func (h *runHost) together() (ms float64, failed int) {
	errs := make(chan error)
	began := time.Now()
	for range atOnce {
		go func() { errs <- h.command("run", "--", command).Run() }()
	}
	for range atOnce {
		if <-errs != nil {
			failed++
		}
	}
	return milliseconds(time.Since(began)), failed
}

// spare is how many processes a daemon keeps ready: a monitor and its child.
const spare = 2

// settled waits until the daemon has no others.
func (h *runHost) settled() error {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		n, err := h.below()
		if err != nil {
			return err
		}
		if n == spare {
			return nil
		}
	}
	return errors.New("processes are left behind")
}
