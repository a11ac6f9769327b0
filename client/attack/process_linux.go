package attack

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process is one that is watched, whoever's it is. No other can take its place.
type process struct {
	pid int
	fd  int // its pidfd
}

func watchProcess(pid int) (process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return process{}, fmt.Errorf("watching process %d: %w", pid, err)
	}
	return process{pid, fd}, nil
}

// lives reports whether the process runs.
func (p process) lives() bool { return !p.over(0) }

// over reports whether the process has ended, and waits for that for a while.
func (p process) over(patience time.Duration) bool {
	deadline := time.Now().Add(patience)
	for {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

func (p process) close() {
	if p.pid != 0 {
		unix.Close(p.fd)
	}
}

// patience is how long anything here may take.
const patience = 30 * time.Second

// An output is what a command printed, and its exit status.
type output struct {
	stdout, stderr []byte
	status         int
}

// text is the first line of what a command had to say.
func (o output) text() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(o.stderr)), "\n")
	return strings.TrimPrefix(line, "cortex: ")
}

// called returns this program with arguments, as one of its roles.
func (t *target) called(ctx context.Context, role string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, t.Program, args...)
	cmd.Args[0], cmd.Dir, cmd.Env = role, t.dir, environment()
	cmd.WaitDelay = time.Second
	return cmd
}

// launcher runs a command with a canary.
func (t *target) launcher(ctx context.Context, command ...string) *exec.Cmd {
	return t.called(ctx, "cortex", append([]string{"run", "--canary", "--sock", t.Sock, "--"}, command...)...)
}

// output runs something to its end.
func (t *target) output(ctx context.Context, prepare func(ctx context.Context) *exec.Cmd) (output, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it took too long"))
	defer cancel()
	cmd := prepare(ctx)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && (!exited || ctx.Err() != nil) {
		return output{}, fmt.Errorf("running this program: %w", err)
	}
	return output{out.Bytes(), errs.Bytes(), cmd.ProcessState.ExitCode()}, nil
}

// inRun does something inside of a run with a canary.
func (t *target) inRun(ctx context.Context, args ...string) (output, error) {
	o, err := t.output(ctx, func(ctx context.Context) *exec.Cmd { return t.launcher(ctx, t.inside(args...)...) })
	if err == nil && o.status != 0 {
		err = fmt.Errorf("%w: the command in the run failed with status %d: %s", errUntried, o.status, o.text())
	}
	return o, err
}

// A victim is a command that runs with a canary, to be attacked.
type victim struct {
	launcher         *exec.Cmd
	command, monitor process
	in               io.Closer
	second           chan string // what it prints first, itself
	exited           chan struct{}
}

// start starts a victim in a directory, and returns when it runs.
func (t *target) start(ctx context.Context, dir string, command ...string) (*victim, error) {
	// A shell tells who it is, and becomes the command.
	cmd := t.launcher(ctx, append([]string{"/bin/sh", "-c", `echo $$ $PPID; exec "$@"`, "sh"}, command...)...)
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v := &victim{launcher: cmd, in: in, second: make(chan string, 1), exited: make(chan struct{})}
	first := make(chan string, 1)
	go func() {
		defer close(v.exited)
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		first <- line
		line, _ = r.ReadString('\n')
		v.second <- line
		io.Copy(io.Discard, r)
		cmd.Wait()
	}()
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	line := <-first
	late.Stop()
	if err := v.watch(line); err != nil {
		v.end()
		return nil, fmt.Errorf("starting a command to attack: %w: %s", err, output{stderr: errs.Bytes()}.text())
	}
	return v, nil
}

// watch takes up the processes of a victim by their ids.
func (v *victim) watch(line string) (err error) {
	var command, monitor int
	if _, err := fmt.Sscanf(line, "%d %d", &command, &monitor); err != nil {
		return errors.New("it does not say who it is")
	}
	if v.command, err = watchProcess(command); err == nil {
		v.monitor, err = watchProcess(monitor)
	}
	return err
}

// end ends a victim.
func (v *victim) end() {
	if v == nil {
		return
	}
	v.in.Close()
	v.launcher.Process.Signal(syscall.SIGTERM)
	select {
	case <-v.exited:
	case <-time.After(3 * time.Second):
		v.launcher.Process.Kill()
		<-v.exited
	}
	v.command.close()
	v.monitor.close()
	v.command, v.monitor = process{}, process{}
}

// ownerOf returns the effective user id of a process, and whether it may be looked
// into by its own user.
func ownerOf(pid int) (uid int, dumpable bool, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "Uid:"); ok {
			var ruid int
			if _, err := fmt.Sscan(rest, &ruid, &uid); err != nil {
				return 0, false, err
			}
		}
	}
	var st unix.Stat_t
	// What is not dumpable is root's there.
	err = unix.Stat(fmt.Sprintf("/proc/%d/stat", pid), &st)
	return uid, int(st.Uid) == uid, err
}

// closed says why a process is closed to this user.
func closed(pid int, refusal error) string {
	uid, dumpable, err := ownerOf(pid)
	var why []string
	if err == nil && uid != os.Geteuid() {
		why = append(why, somebody(uid)+"'s")
	}
	if err == nil && !dumpable {
		why = append(why, "not dumpable")
	}
	if len(why) == 0 {
		why = append(why, "closed to this user")
	}
	return fmt.Sprintf("%s (%v)", strings.Join(why, " and "), unwrapped(refusal))
}

// unwrapped is the system's word for an error.
func unwrapped(err error) error {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}

// somebody names a user for people.
func somebody(uid int) string {
	if uid == os.Geteuid() {
		return "this user"
	}
	return fmt.Sprintf("another user (uid %d)", uid)
}
