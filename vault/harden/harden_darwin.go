package harden

import "golang.org/x/sys/unix"

// measures does what macOS offers.
func measures(Options) []Measure {
	core := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	unix.Umask(0o077)
	return []Measure{
		took("not traceable", "closed to debuggers", hide()),
		took("core dumps", "none", core),
		took("umask", "077", nil),
		took("swap", "encrypted by the system", nil),
	}
}

func hide() error { return unix.PtraceDenyAttach() }
