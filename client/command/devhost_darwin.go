package command

import "syscall"

// childAttr keeps Ctrl-C at the terminal from the parts, which end in order.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
