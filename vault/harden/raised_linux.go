package harden

import "golang.org/x/sys/unix"

// gained reports whether the program's file has given this process a capability: its
// user, who is not root, has it neither from whoever started it nor as an ambient one.
func gained() bool {
	if unix.Getuid() == 0 {
		return false
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false // a kernel without capabilities
	}
	for n := range 64 {
		if data[n/32].Permitted&(1<<(n%32)) == 0 {
			continue
		}
		if ambient, err := unix.PrctlRetInt(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(n), 0, 0); err != nil || ambient != 1 {
			return true
		}
	}
	return false
}
