package attack

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Which process of a run a move is about.
type which int

const (
	theCommand which = iota
	theMonitor
	theDaemon
)

func (w which) String() string { return [...]string{"the command", "the monitor", "the daemon"}[w] }

// on tries something on one of the processes.
func (t *target) on(ctx context.Context, w which, try func(process) (finding, error)) (finding, error) {
	if w == theDaemon {
		return try(t.daemon)
	}
	return t.onCommand(ctx, func(v *victim) (finding, error) {
		if w == theMonitor {
			return try(v.monitor)
		}
		return try(v.command)
	})
}

// reading is a move that reads what the kernel shows of a process, and may debug it.
func reading(w which, debug bool, names ...string) func(context.Context, *target) (finding, error) {
	return func(ctx context.Context, t *target) (finding, error) {
		usable, err := control(debug)
		if err != nil {
			return finding{}, err
		}
		return t.on(ctx, w, func(p process) (finding, error) {
			got, refusal := reach(p, usable, names)
			if len(got) > 0 {
				return open("of %s it got %s", w, strings.Join(got, ", "))
			}
			return stopped("the kernel: %s is %s%s", w, closed(p.pid, refusal), yama(p.pid))
		})
	}
}

// reach returns what of a process can be got at, and why the rest cannot.
func reach(p process, usable []grip, names []string) (got []string, refusal error) {
	for _, name := range names {
		holds, err := look(p.pid, name)
		switch {
		case err != nil:
			refusal = err
		case holds:
			got = append(got, name+" (with the canary in it)")
		default:
			got = append(got, name)
		}
	}
	for _, g := range usable {
		if err := g.try(p); err != nil {
			refusal = err
		} else {
			got = append(got, g.name)
		}
	}
	return got, refusal
}

// control makes sure that a process which is open can be read, and returns how it can
// be debugged.
func control(debug bool) (usable []grip, err error) {
	if debug {
		if usable, err = grips(); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"environ", "maps", "mem", "fd"} {
		if _, err := look(os.Getpid(), name); err != nil {
			return nil, fmt.Errorf("%w: not even our own process can be read: %w", errUntried, err)
		}
	}
	return usable, nil
}

// look reads something of a process, and reports whether a canary is in it.
func look(pid int, name string) (bool, error) {
	path := filepath.Join("/proc", fmt.Sprint(pid), name)
	switch name {
	case "fd":
		return lookAtFiles(path)
	case "mem":
		return lookAtMemory(pid)
	}
	text, err := os.ReadFile(path)
	return holdsCanary(text), err
}

// lookAtFiles reads the files in memory that a process has open.
func lookAtFiles(dir string) (found bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		link, err := os.Readlink(path)
		if err != nil || !strings.HasPrefix(link, "/memfd:") {
			continue
		}
		if text, err := os.ReadFile(path); err == nil && holdsCanary(text) {
			found = true
		}
	}
	return found, nil
}

// The most that is read of a process's memory, and of one part of it at a time.
const (
	maxMemory = 512 << 20
	onePart   = 4 << 20
)

// lookAtMemory reads what a process may write to: its variables, its stacks, its heap.
func lookAtMemory(pid int) (bool, error) {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return false, err
	}
	defer mem.Close()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return false, err
	}
	var read int64
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		if read += to - from; read > maxMemory {
			break
		}
		if canary, _ := within(io.NewSectionReader(mem, from, to-from)); canary && pid != os.Getpid() {
			return true, nil
		}
	}
	return false, nil
}

// within reports whether a canary, and a control, is in what can be read, also across
// parts of it.
func within(r io.Reader) (canary, control bool) {
	const overlap = 256
	part := make([]byte, overlap+onePart)
	kept := 0
	for {
		n, err := io.ReadFull(r, part[kept:])
		have := part[:kept+n]
		canary, control = canary || holdsCanary(have), control || holds(have, controlPrefix)
		if err != nil {
			return canary, control
		}
		kept = copy(part, have[len(have)-overlap:])
	}
}

// launcherKnows looks for the canary in the launcher, which is this user's own.
func launcherKnows(ctx context.Context, t *target) (finding, error) {
	return t.onCommand(ctx, func(v *victim) (finding, error) {
		pid := v.launcher.Process.Pid
		var readable []string
		for _, name := range []string{"environ", "mem", "fd"} {
			holds, err := look(pid, name)
			if holds {
				return open("found the canary in /proc/%d/%s of the launcher", pid, name)
			}
			if err == nil {
				readable = append(readable, name)
			}
		}
		return stopped("the launcher has no values: there was none in its %s", strings.Join(readable, " and "))
	})
}
