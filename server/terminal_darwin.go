package server

import "golang.org/x/sys/unix"

// The requests that read and change a terminal's modes.
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)
