package redteam

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// elsewhere runs the tests where /run and /var/lib are theirs, and returns their exit
// status: the isolated install is there, and this machine may have one. Without
// root the tests stay here, and make no moves.
func elsewhere() (status int, done bool) {
	const inside = "CORTEX_REDTEAM_INSIDE"
	if os.Getuid() != 0 {
		return 0, false
	}
	if os.Getenv(inside) != "" {
		for _, dir := range []string{"/run", "/var/lib"} {
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
				fmt.Fprintf(os.Stderr, "mounting %s: %v\n", dir, err)
				return 1, true
			}
		}
		return 0, false
	}
	if err := e2e.Alone("redteam"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	runtime.LockOSThread() // which the other process would not outlive
	cmd := exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "/proc/self/exe"}, os.Args[1:]...)...)
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	cmd.Args[4] = self
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		return exited.ExitCode(), true
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}
