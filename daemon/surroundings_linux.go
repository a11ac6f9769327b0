package daemon

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// observe takes directory, environment and umask from the client's process.
// Its streams are not ours to take: the program gets /dev/null.
func observe(c *connection, spec *spawn.Spec) error {
	proc, err := c.peer.Dir()
	if err != nil {
		return err
	}
	defer proc.Close()
	cwd, err := openAt(proc, "cwd", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	c.files = map[string]*os.File{ipc.FileCWD: cwd}
	spec.Dir = cwd
	env, err := readAt(proc, "environ", ipc.MaxLine)
	if err != nil {
		return err
	}
	spec.Env = environ(env)
	status, err := readAt(proc, "status", 64<<10)
	if err != nil {
		return err
	}
	spec.Umask = umaskIn(status)
	return nil
}

func environ(text []byte) []string {
	var env []string
	for v := range strings.SplitSeq(string(text), "\x00") {
		if strings.IndexByte(v, '=') > 0 {
			env = append(env, v)
		}
	}
	return env
}

// umaskIn returns the mask in proc_pid_status(5), or -1.
func umaskIn(status []byte) int {
	_, rest, _ := bytes.Cut(status, []byte("\nUmask:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	mask, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 8, 9)
	if err != nil {
		return -1
	}
	return int(mask)
}

func openAt(dir *os.File, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s of its process: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// readAt reads a file of a process, at most limit bytes.
func readAt(dir *os.File, name string, limit int64) ([]byte, error) {
	f, err := openAt(dir, name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
