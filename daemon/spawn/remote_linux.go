package spawn

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// askWho has the system say who sends what comes from now on.
func askWho(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if controlErr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) }); controlErr != nil {
		return controlErr
	}
	return err
}

// who returns what the system has said.
func who(oob []byte) (Owner, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return Owner{}, err
	}
	for _, m := range messages {
		if c, err := unix.ParseUnixCredentials(&m); err == nil {
			return Owner{UID: int(c.Uid), PID: int(c.Pid)}, nil
		}
	}
	return Owner{}, errors.New("the system does not say who the spawner is")
}
