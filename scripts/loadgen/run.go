package main

import (
	"errors"
	"os"
	"path/filepath"
)

// runs measures what it costs to have a command started by cortex, in what is added
// to the time that the command takes by itself. Beside it is a launcher that does the
// least one can: it fetches ten values over a Unix socket, from a server that makes
// a record durable, and starts the command.
func (b *bench) runs() (err error) {
	h, err := b.newRunHost()
	if err != nil {
		return err
	}
	sock, floor, err := b.floorOfRuns()
	if err != nil {
		return errors.Join(err, h.kill())
	}
	err = steps(
		func() error { return h.added(b.launchers(sock)) },
		func() error { return h.addedInABurst(sock) },
		func() error { return h.processorTime(sock, floor) },
		h.clientStart, h.whereRunsSpend, h.clientMemory, h.many,
	)
	if err != nil {
		return errors.Join(err, h.kill())
	}
	if floor != nil {
		err = floor.kill()
	}
	return errors.Join(err, h.stop())
}

// floorOfRuns starts the bare server on a socket, "" where there is none. It verifies
// nothing, as the bare launcher signs nothing.
func (b *bench) floorOfRuns() (sock string, p *process, err error) {
	if b.floor == "" {
		return "", nil, nil
	}
	dir, err := os.MkdirTemp(b.dir, "floor-")
	if err != nil {
		return "", nil, err
	}
	sock = filepath.Join(dir, "sock")
	p, err = b.bareAt("floorserve", dir, "unix", sock, "-addr", "unix:"+sock, "-audit", "bolt", "-dir", dir)
	return sock, p, err
}

// command is what is started: it does nothing.
const command = "/bin/true"

// The launchers, by what they are called in the table.
const (
	floorRun = "floorrun spawn"
	piped    = "cortex run"
)

// launchers are what starts the command, and at first the command itself.
func (b *bench) launchers(sock string) []*launcher {
	list := []*launcher{
		{name: "exec", argv: []string{command}},
		{name: "exec on a terminal", argv: []string{command}, terminal: true},
		{name: "env", argv: []string{"/usr/bin/env", "K=V", command}},
	}
	if sock != "" {
		floor := filepath.Join(b.floor, "floorrun")
		list = append(list,
			&launcher{name: "floorrun exec", argv: []string{floor, sock, "exec", command}},
			&launcher{name: floorRun, argv: []string{floor, sock, "spawn", command}})
	}
	return append(list,
		&launcher{name: piped, argv: []string{b.cortex, "run", "--", command}},
		&launcher{name: piped + " on a terminal", argv: []string{b.cortex, "run", "--", command}, terminal: true, plain: 1},
		&launcher{name: piped + " --file", argv: []string{b.cortex, "run", "--file", "SECRET_0=KEY_FILE", "--", command}})
}

// added measures the launchers, each call with some time to itself.
func (h *runHost) added(list []*launcher) error {
	if err := h.pairs(list, calm); err != nil {
		return err
	}
	h.rows(list, ", ms")
	return nil
}

// addedInABurst measures the two that matter most, without a pause: what a daemon
// does after one run is in the way of the next.
func (h *runHost) addedInABurst(sock string) error {
	var list []*launcher
	for _, l := range h.bench.launchers(sock) {
		if l.name == "exec" || l.name == floorRun || l.name == piped {
			list = append(list, l)
		}
	}
	if err := h.pairs(list, 0); err != nil {
		return err
	}
	h.rows(list, ", ms, one call behind the other")
	return nil
}

// rows prints what was seen.
func (h *runHost) rows(list []*launcher, what string) {
	var floor figures
	for _, l := range list {
		if l.name == floorRun {
			floor = l.added
		}
	}
	t := h.bench.table
	for i, l := range list {
		switch {
		case l.argv[0] == h.bench.cortex:
			t.row(l.name+", added"+what+", beside "+floorRun, l.added.text("%.2f"), floor.text("%.2f"), l.added.ratios(floor).text("%.2f"), "1.3", "1.1")
		case i == 0 || l.terminal:
			t.row(l.name+" of "+command+what, "", l.took.text("%.2f"), "", "", "")
		default:
			t.row(l.name+", added"+what, "", l.added.text("%.2f"), "", "", "")
		}
	}
}
