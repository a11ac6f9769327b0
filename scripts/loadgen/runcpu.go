package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// counted is how many calls the processor time is taken over: the system counts it
// in hundredths of a second.
const counted = 200

// processorTime measures what runs cost in processor time, which other work on the
// machine changes far less than how long they take.
func (h *runHost) processorTime(sock string, floor *process) error {
	run := &launcher{name: piped, argv: []string{h.bench.cortex, "run", "--", command}}
	client, others, err := h.spent(run, h.server.busy, h.daemon.busy, h.daemon.reaped)
	if err != nil {
		return err
	}
	cortex, parts := client+others[0]+others[1]+others[2], fmt.Sprintf("%.1f, %.1f, %.1f, %.1f", client, others[0], others[1], others[2])
	beside, ratio := "", ""
	if floor != nil {
		least := &launcher{name: floorRun, argv: []string{filepath.Join(h.bench.floor, "floorrun"), sock, "spawn", command}}
		own, served, err := h.spent(least, floor.busy)
		if err != nil {
			return err
		}
		beside, ratio = fmt.Sprintf("%.1f", own+served[0]), fmt.Sprintf("%.1f", cortex/(own+served[0]))
	}
	h.bench.table.row("processor time of a run, ms, all processes, beside "+floorRun, fmt.Sprintf("%.1f", cortex), beside, ratio, "", "")
	h.bench.table.row("of those: the client; the server; the daemon; monitor, child and command", parts, "", "", "", "")
	return nil
}

// spent calls a launcher and returns its processor time for each call, with that of
// what it starts, and that which others used meanwhile, in ms.
func (h *runHost) spent(l *launcher, others ...func() (time.Duration, error)) (own float64, theirs []float64, err error) {
	read := func() (all []time.Duration, err error) {
		for _, other := range others {
			d, err := other()
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
		return all, nil
	}
	before, err := read()
	if err != nil {
		return 0, nil, err
	}
	for range counted {
		cmd := h.prepare(l)
		if err := cmd.Run(); err != nil {
			return 0, nil, err
		}
		own += milliseconds(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / counted
	}
	after, err := read()
	if err != nil {
		return 0, nil, err
	}
	for i := range after {
		theirs = append(theirs, milliseconds(after[i]-before[i])/counted)
	}
	return own, theirs, nil
}
