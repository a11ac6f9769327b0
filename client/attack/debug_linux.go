package attack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A grip is a way to get hold of a process as a debugger does.
type grip struct {
	name string
	try  func(process) error
}

func allGrips() []grip {
	return []grip{
		{"ptrace attach", func(p process) error { return traced(p.pid, unix.PtraceAttach) }},
		{"PTRACE_SEIZE", func(p process) error { return traced(p.pid, seize) }},
		{"process_vm_readv", vmRead},
		{"pidfd_getfd", takeFile},
		{"/proc/PID/mem", openMemory},
	}
}

// grips returns those that work here: on a child of our own, which Yama leaves to its
// parent. A container may know some of them no more.
func grips() (usable []grip, err error) {
	child := exec.Command("/bin/sleep", "1000")
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errUntried, err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	p, err := watchProcess(child.Process.Pid)
	if err != nil {
		return nil, err
	}
	defer p.close()
	for _, g := range allGrips() {
		if err = g.try(p); err == nil {
			usable = append(usable, g)
		}
	}
	if len(usable) == 0 {
		return nil, fmt.Errorf("%w: nothing can be debugged here: %w", errUntried, err)
	}
	return usable, nil
}

// yama says what else keeps debuggers away.
func yama(pid int) string {
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	owner, _, ownerErr := ownerOf(pid)
	if err != nil || ownerErr != nil || owner != os.Geteuid() || strings.TrimSpace(string(scope)) == "0" {
		return ""
	}
	return "; kernel.yama.ptrace_scope is " + strings.TrimSpace(string(scope))
}

// traced becomes a process's tracer, and lets go of it.
func traced(pid int, attach func(int) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := attach(pid); err != nil {
		return err
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return unix.PtraceDetach(pid)
}

// seize stops the process, too: only then one can let go of it.
func seize(pid int) error {
	if err := unix.PtraceSeize(pid); err != nil {
		return err
	}
	return unix.PtraceInterrupt(pid)
}

// vmRead reads where nothing needs to be: the right to is checked before.
func vmRead(p process) error {
	buf := make([]byte, 1)
	local := unix.Iovec{Base: &buf[0]}
	local.SetLen(1)
	_, err := unix.ProcessVMReadv(p.pid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: 0x400000, Len: 1}}, 0)
	if errors.Is(err, unix.EFAULT) {
		return nil
	}
	return err
}

// takeFile copies a descriptor of the process.
func takeFile(p process) error {
	fd, err := unix.PidfdGetfd(p.fd, 0, 0)
	if errors.Is(err, unix.EBADF) {
		return nil // it has none of that number, and we might have had it
	}
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func openMemory(p process) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.pid))
	if err == nil {
		f.Close()
	}
	return err
}

// coreDump has a command dump core by a signal, and raises the daemon's limit for that.
func coreDump(ctx context.Context, t *target) (finding, error) {
	f, err := t.coreOfCommand(ctx)
	if err != nil || f.outcome == Open {
		return f, err
	}
	all := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	var before unix.Rlimit
	limitErr := unix.Prlimit(t.daemon.pid, unix.RLIMIT_CORE, &all, &before)
	if limitErr == nil {
		unix.Prlimit(t.daemon.pid, unix.RLIMIT_CORE, &before, nil)
		return open("the daemon's core limit could be raised, and was put back")
	}
	f.evidence += fmt.Sprintf("; nor can the daemon's be raised (%v)%s", limitErr, besides(t.daemon.pid))
	return f, nil
}

// besides says that a process is not dumpable, if so it is.
func besides(pid int) string {
	if _, dumpable, err := ownerOf(pid); err != nil || dumpable {
		return ""
	}
	return ", and it is not dumpable besides"
}

// coreOfCommand raises the core limit of a command, and ends it by a signal that dumps.
func (t *target) coreOfCommand(ctx context.Context) (finding, error) {
	v, err := t.start(ctx, t.dir, "cat")
	if err != nil {
		return finding{}, err
	}
	defer v.end()
	all := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	limitErr := unix.Prlimit(v.command.pid, unix.RLIMIT_CORE, &all, nil)
	killErr := unix.Kill(v.command.pid, unix.SIGABRT)
	if killErr == nil && !v.command.over(patience) {
		return untried("the command does not end by SIGABRT")
	}
	cores, err := filepath.Glob(filepath.Join(t.dir, "core*"))
	switch {
	case err != nil:
		return finding{}, err
	case len(cores) > 0:
		for _, file := range cores {
			os.Remove(file)
		}
		return open("the kernel dumped the command into a file")
	case killErr != nil:
		return stopped("the kernel: the command is another user's (%v)", killErr)
	case limitErr != nil:
		return stopped("the kernel: the command's core limit can be raised by root alone (%v)", limitErr)
	}
	pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern")
	return open("the command's core limit could be raised, and it went wherever core_pattern says: %s", strings.TrimSpace(string(pattern)))
}
