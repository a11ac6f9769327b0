package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/dotenv"
)

// surroundings returns what to run and where, without secrets: what a launcher
// sent, or for a client of the one-line form what can be seen of it. The files
// are the connection's to close.
func surroundings(c *connection, req ipc.Request) (spawn.Spec, error) {
	spec := spawn.Spec{Program: string(req.Program), Args: ipc.Strings(req.Args), Umask: -1}
	if req.V == 0 {
		if err := observe(c, &spec); err != nil {
			return spec, fmt.Errorf("looking at the client: %w", err)
		}
		return spec, nil
	}
	spec.Env, spec.Limits = ipc.Strings(req.Env), req.Limits
	if req.Schedule != nil {
		spec.Schedule = *req.Schedule
	}
	spec.Ignored, spec.Blocked = spawn.SignalSet(req.Ignored), spawn.SignalSet(req.Blocked)
	if req.Umask != nil {
		spec.Umask = *req.Umask
	}
	spec.Dir = c.files[ipc.FileCWD]
	if spec.Dir == nil {
		return spec, fmt.Errorf("%w: no working directory", ipc.ErrMalformed)
	}
	if tty := c.files[ipc.FileTerminal]; tty != nil {
		spec.Terminal = &spawn.Terminal{Caller: tty, Relay: c.files[ipc.FileRelay], Plain: req.Background}
	}
	spec.Further = c.further
	spec.Streams = [3]*os.File{c.files[ipc.FileStdin], c.files[ipc.FileStdout], c.files[ipc.FileStderr]}
	return spec, nil
}

// namesIn reads the names in a file, or in .env of the directory if there is
// one.
func namesIn(dir *os.File, named *string) ([]string, error) {
	if named != nil {
		return namesInFile(dir, *named, 0)
	}
	// Whoever wrote the directory named this one: a link could lead anywhere.
	names, err := namesInFile(dir, ".env", unix.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

func namesInFile(dir *os.File, path string, how int) ([]string, error) {
	// Not to wait for whoever may write into a pipe of that name.
	fd, err := unix.Openat(int(dir.Fd()), path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY|how, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, dotenv.MaxSize+1))
	defer clear(text) // it may hold values
	if err != nil {
		return nil, err
	}
	entries, err := dotenv.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", path, err)
	}
	return dotenv.EntryNames(entries), nil
}
