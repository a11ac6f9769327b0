package attack

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// orphans leaves a process behind that has called setsid, and was forked twice.
func orphans(ctx context.Context, t *target) (finding, error) {
	o, err := t.inRun(ctx, "orphan")
	if err != nil {
		return finding{}, err
	}
	pid, started, err := orphan(o.stdout)
	if err != nil {
		return finding{}, err
	}
	if startOf(pid) == started {
		unix.Kill(pid, unix.SIGKILL)
		return open("process %d, which left its session, was there after the run", pid)
	}
	return stopped("the monitor: process %d, which had left its session, was killed with the run", pid)
}

// orphan reads what a process that is left behind says of itself.
func orphan(text []byte) (pid int, started string, err error) {
	if _, err := fmt.Sscan(string(text), &pid, &started); err != nil {
		return 0, "", fmt.Errorf("%w: nothing was left behind", errUntried)
	}
	return pid, started, nil
}

// startOf returns when a process started, "" if there is none that runs.
func startOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return statField(text)
}

// killWatch kills the monitor of a command of ours, which has left its session.
func killWatch(ctx context.Context, t *target) (finding, error) {
	return t.endWatch(ctx, func(v *victim) error { return unix.Kill(v.monitor.pid, unix.SIGKILL) }, "the monitor")
}

// killLauncher kills the launcher of such a command.
func killLauncher(ctx context.Context, t *target) (finding, error) {
	return t.endWatch(ctx, func(v *victim) error { return v.launcher.Process.Kill() }, "the launcher")
}

// endWatch starts a command that has a process outside of its session, ends what watches
// over it, and looks what is left.
func (t *target) endWatch(ctx context.Context, end func(*victim) error, what string) (finding, error) {
	v, err := t.start(ctx, t.dir, t.inside("family")...)
	if err != nil {
		return finding{}, err
	}
	defer v.end()
	gone, err := v.stray()
	if err != nil {
		return finding{}, err
	}
	defer gone.close()
	if err := end(v); err != nil {
		return stopped("the kernel: %s is %s", what, closed(v.monitor.pid, err))
	}
	for _, p := range []process{v.command, gone} {
		if !p.over(10 * time.Second) {
			unix.Kill(p.pid, unix.SIGKILL)
			return open("process %d of the run outlived %s", p.pid, what)
		}
	}
	return stopped("the command and what had left its session ended with %s", what)
}

// stray returns the process of a victim that has left its session.
func (v *victim) stray() (process, error) {
	select {
	case line := <-v.second:
		pid, _, err := orphan([]byte(line))
		if err != nil {
			return process{}, err
		}
		return watchProcess(pid)
	case <-v.exited:
		return process{}, fmt.Errorf("%w: the command has ended", errUntried)
	case <-time.After(patience):
		return process{}, fmt.Errorf("%w: the command says nothing", errUntried)
	}
}
