package daemon

import "errors"

const (
	mayEnter     = 1
	mayReadWrite = 6
)

// allow returns an error: on macOS programs are of no other user.
func allow(string, int, uint16) error { return errors.New("not on macOS") }
