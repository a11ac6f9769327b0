package harden

import (
	"errors"
	"os"
)

// ErrRaised is about a process that may more than whoever started it.
var ErrRaised = errors.New("refusing to run with more privileges than whoever started it: take the set-user-id and set-group-id bits and the capabilities from the program's file (chmod u-s,g-s; setcap -r)")

// Raised returns [ErrRaised] if this program's file is set-user-id or set-group-id, or
// has capabilities. Every word of its environment and of its command line would be
// another user's then.
func Raised() error {
	if os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid() || gained() {
		return ErrRaised
	}
	return nil
}
