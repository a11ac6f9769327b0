// Package spawn starts programs with secrets in their environment and sees to
// it that nothing of them is left at the end.
//
// Each program gets a monitor, a process of this same binary under the name
// [Name], which main hands to [Monitor] before anything else. The monitor
// starts a second one, the child, which waits for a [Spec], turns itself into
// what that says and executes the program, so that the secrets travel from the
// daemon to the child alone and their copies vanish with its old memory:
//
//	daemon ──control──► monitor ──fork──► child ──exec──► program
//	   └──────────spec, descriptors──────────┘
//
// The monitor leads a session of its own, in which the child has a process
// group of its own, and adopts every orphan below it (on Linux; macOS has no
// such thing). When the program ends, or when the control socket closes
// because the daemon died or wants it so, the monitor kills whatever is still
// there, also what called setsid or forked twice, and reports only then.
//
// A program whose caller has a terminal gets one of its own, see [Terminal].
//
// Where the program's output is to be masked it goes through the monitor, which
// gets the secrets for that from the daemon. It reports the end only when
// everything is passed on.
//
// Where programs are to be of another user than the daemon, a [Spawner] of that
// user starts the monitors. What travels between daemon, monitor and child
// goes past it.
//
// A [Starter] keeps one monitor and its child ready, so that their start is
// not on a run's way.
package spawn

import (
	"fmt"
	"os"
	"syscall"

	"github.com/cortex-auth/cortex/vault/harden"
)

// Name is argv[0] of monitors.
const Name = "cortex-monitor"

// SpawnerName is argv[0] of what starts monitors for another user's daemon; see
// [Spawner].
const SpawnerName = "cortex-spawner"

// roleChild is argv[1] of the process that becomes the program.
const roleChild = "child"

// The descriptors of a monitor and its child beyond the usual three.
const (
	controlFD = 3 // the monitor's
	specFD    = 4 // the monitor's, for its child
	outputFD  = 5 // the monitor's: what to mask
	ttyFD     = 6 // the monitor's: its session's terminal
	ledgerFD  = 7 // the monitor's: what is to be removed if it is killed
	childFD   = 3 // the child's end of the same
)

// The statuses of programs that could not be started, as shells have them.
const (
	StatusNotFound      = 127
	StatusNotExecutable = 126
)

// Monitor is the main function of a process called [Name]. It returns the
// exit status.
func Monitor() int {
	if err := harden.Refuse(os.Environ()); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Name, err)
		return 1
	}
	if len(os.Args) > 1 && os.Args[1] == roleChild {
		return child()
	}
	return monitor()
}

// An Exit is how a program ended.
type Exit struct {
	Code   int            // if Signal is 0
	Signal syscall.Signal // that killed it
}

// Status returns the exit status a shell would show: the program's own, or 128
// and the signal's number.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// A StartError says why there is no program.
type StartError struct {
	// Status is [StatusNotFound] or [StatusNotExecutable].
	Status int
	// Text is one line that begins with the program's name.
	Text string
}

// Error returns Text.
func (e *StartError) Error() string { return e.Text }

func notExecutable(program string, err error) *StartError {
	return &StartError{StatusNotExecutable, fmt.Sprintf("%s: %v", program, err)}
}
