package locked

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errNotHere is the reason for what macOS has no call for.
var errNotHere = errors.New("not available on this system")

// mapPage maps whole pages of zeroed memory for n bytes. Core dumps are turned
// off for the whole process by package harden.
func mapPage(n int) ([]byte, error) {
	page, err := unix.Mmap(-1, 0, roundUp(n, os.Getpagesize()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	record(achieved{secret: errNotHere, lock: unix.Mlock(page), dump: errNotHere, fork: errNotHere})
	return page, nil
}

// unmapPage gives back what mapPage returned.
func unmapPage(page []byte) {
	if err := unix.Munmap(page); err != nil {
		panic("locked: unmapping: " + err.Error()) // unreachable
	}
}
