package command

import "syscall"

// childAttr keeps Ctrl-C at the terminal from the parts, which end in order,
// and ends them when this process is killed.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
