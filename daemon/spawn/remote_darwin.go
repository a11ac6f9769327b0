package spawn

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// macOS has no spawner.
var errNoSpawner = errors.New("there is no spawner on macOS")

func askWho(*net.UnixConn) error                     { return errNoSpawner }
func who([]unix.SocketControlMessage) (Owner, error) { return Owner{}, errNoSpawner }
func passedTTY([]unix.SocketControlMessage) (t tty)  { return tty{err: errNoSpawner} }
