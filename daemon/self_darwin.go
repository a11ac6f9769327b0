package daemon

import (
	"os"

	"golang.org/x/sys/unix"
)

// openSelf opens this program's file.
func openSelf() (*os.File, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// bootID names this run of the system, "" if nobody can tell.
func bootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
