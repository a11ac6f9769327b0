package spawn

import (
	"errors"
	"net"
	"os"

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
func who(messages []unix.SocketControlMessage) (Owner, error) {
	for _, m := range messages {
		if c, err := unix.ParseUnixCredentials(&m); err == nil {
			return Owner{UID: int(c.Uid), PID: int(c.Pid)}, nil
		}
	}
	return Owner{}, errors.New("the system does not say who the spawner is")
}

// passedTTY returns the terminal that came with an answer. What is no pty could be
// anything that stops who uses it.
func passedTTY(messages []unix.SocketControlMessage) tty {
	var files []*os.File
	for _, m := range messages {
		fds, _ := unix.ParseUnixRights(&m)
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "pty"))
		}
	}
	if len(files) == 2 && isMaster(files[0]) && isSlave(files[1]) {
		return tty{master: files[0], slave: files[1]}
	}
	for _, f := range files {
		f.Close()
	}
	return tty{err: errors.New("the spawner has made no terminal")}
}

// The numbers of devices, of devices.txt of Linux.
const (
	ttyMajor, ptmxMinor           = 5, 2
	firstSlaveMajor, slavesMajors = 136, 8
)

func isMaster(f *os.File) bool {
	major, minor := device(f)
	return major == ttyMajor && minor == ptmxMinor
}

func isSlave(f *os.File) bool {
	major, _ := device(f)
	return major >= firstSlaveMajor && major < firstSlaveMajor+slavesMajors
}

// device returns the number of a character device, or 0.
func device(f *os.File) (major, minor uint32) {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return 0, 0
	}
	return unix.Major(st.Rdev), unix.Minor(st.Rdev)
}
