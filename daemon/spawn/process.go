package spawn

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"

	"golang.org/x/sys/unix"
)

// A process is a monitor's: one that this process has started, or had a
// [Spawner] start.
type process interface {
	// owner says whose its program will be.
	owner() Owner
	// wake lets it go on that its program has stopped.
	wake()
	kill()
	// sweep kills what is left of its program when it was killed itself. It was
	// not waited for yet. The error is a [SilentError].
	sweep() error
	// giveUp ends a sweep, this one and the next, that nobody answers.
	giveUp()
	wait()
}

// An Owner is who a program and all that it starts will be: a user, and a process
// below which they all are, as long as that lives.
type Owner struct{ UID, PID int }

// A launcher starts a monitor whose descriptors are files, from [controlFD] on, and its
// program's terminal. That is of the user whom the program is.
type launcher func(files []*os.File) (process, tty, error)

// parent starts monitors as children of this process.
type parent struct {
	strays   *strays  // nil where this process may have children of its own
	identity []string // what programs are told of who they are, if not the callers' own
}

func (p parent) launch(files []*os.File) (process, tty, error) {
	w, t, err := p.start(files)
	if err != nil {
		return nil, t, err
	}
	return w, t, nil
}

func (p parent) start(files []*os.File) (*ward, tty, error) {
	t := openTTY()
	w, err := p.startAt(append(slices.Clip(files), t.slave))
	if err != nil {
		t.close()
		return nil, tty{}, err
	}
	return w, t, nil
}

func (p parent) startAt(files []*os.File) (*ward, error) {
	ledger, end, err := pair()
	if err != nil {
		return nil, err
	}
	defer end.Close()
	files = append(slices.Clone(files), make([]*os.File, ledgerFD-controlFD)...)[: ledgerFD-controlFD : ledgerFD-controlFD]
	files = append(files, end)
	cmd := &exec.Cmd{
		Path: executable(), Args: []string{Name}, Env: slices.Concat(monitorEnv, p.identity), Dir: "/",
		Stderr: os.Stderr, ExtraFiles: files, SysProcAttr: monitorAttr(),
	}
	if err := p.strays.start(cmd); err != nil {
		ledger.Close()
		return nil, fmt.Errorf("starting a monitor: %w", err)
	}
	return &ward{cmd, p.strays, ledger}, nil
}

// A ward is a monitor that is a child of this process.
type ward struct {
	cmd    *exec.Cmd
	strays *strays
	ledger *net.UnixConn // holds the files that it has made on a disk
}

func (w *ward) owner() Owner { return Owner{os.Getuid(), w.cmd.Process.Pid} }

func (w *ward) wake() { w.cmd.Process.Signal(unix.SIGCONT) }
func (w *ward) kill() { w.cmd.Process.Kill() }

// end has the monitor kill what it watches over, and report that.
func (w *ward) end() { w.cmd.Process.Signal(unix.SIGTERM) }

func (w *ward) sweep() error {
	// Its id is its session's as long as nobody has collected it.
	killSession(w.cmd.Process.Pid)
	w.strays.kill()
	settle(w.ledger)
	return nil
}

func (w *ward) giveUp() {} // its system answers

func (w *ward) wait() {
	w.cmd.Wait() // its status says nothing that its report did not
	w.ledger.Close()
	w.strays.ended(w.cmd)
}
