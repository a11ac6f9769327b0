package spawn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// childBare begins what a child writes that lacks something, which follows. What
// else it writes, a [StartError], begins with a status.
const childBare = 0

// child waits for a spec and becomes the program. It returns if it cannot.
func child() int {
	// Signal masks and the like belong to a thread; the one that executes the
	// program keeps its own.
	runtime.LockOSThread()
	syscall.CloseOnExec(childFD)
	lacking := protectChild()
	// What the daemon's parents ignored is not the program's: a signal with a
	// handler gets its default action when a program is executed, also one that
	// was ignored before, and of the handlers nothing remains. The runtime has one for
	// each, but for those that it leaves ignored, and those that it leaves to the
	// system; to ask for all of them again takes a third of a millisecond.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
	if lacking != 0 {
		unix.Write(childFD, []byte{childBare, byte(lacking)})
	}
	spec, sock, err := receive()
	failed, ok := errors.AsType[*StartError](err)
	switch {
	case ok:
	case err != nil:
		return 1 // the daemon went away, or does not need a program any more
	default:
		failed = become(spec)
	}
	unix.Write(sock, append([]byte{byte(failed.Status)}, failed.Text...))
	return failed.Status
}

// receive reads a spec and its descriptors from the daemon, and returns where the socket
// is from then on. The further ones are where the program has them before this process
// opens anything.
func receive() (s Spec, sock int, err error) {
	head := make([]byte, 4)
	fds, err := receiveFDs(childFD, head)
	if err != nil {
		return Spec{}, 0, err
	}
	body, err := receiveBody(childFD, head)
	if err != nil {
		return Spec{}, 0, err
	}
	spec, streams, err := decodeSpec(body)
	switch {
	case errors.Is(err, errVersion):
		return Spec{}, childFD, &StartError{StatusNotExecutable, err.Error()}
	case err != nil || len(fds) < 1+len(spec.Further):
		return Spec{}, 0, errForm
	}
	if fds, err = place(append([]int{childFD}, fds...), spec.Further); err != nil {
		return Spec{}, childFD, notExecutable(spec.Program, fmt.Errorf("passing its descriptors: %w", err))
	}
	sock, fds = fds[0], fds[1:]
	var files []*os.File
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "passed"))
	}
	spec.Dir, files = files[0], files[1:]
	for i := range spec.Streams {
		if streams&(1<<i) != 0 && len(files) > 0 {
			spec.Streams[i], files = files[0], files[1:]
		}
	}
	return spec, sock, nil
}

// maxPassed is more than the descriptors that come with anything: see output.go, where
// there are two for each that is masked.
const maxPassed = consoleFiles + 1 + 2*(3+ipc.MaxFurther)

// receiveFDs fills head and returns the descriptors that come with it.
func receiveFDs(from int, head []byte) (fds []int, err error) {
	oob := make([]byte, unix.CmsgSpace(4*maxPassed))
	n, oobn, err := receiveMessage(from, head, oob)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		some, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		for _, fd := range some {
			syscall.CloseOnExec(fd)
		}
		fds = append(fds, some...)
	}
	return fds, readFull(from, head[n:])
}

// receiveBody returns what follows the length in head.
func receiveBody(from int, head []byte) ([]byte, error) {
	n := binary.BigEndian.Uint32(head)
	if n > maxSpec {
		return nil, errForm
	}
	body := make([]byte, n)
	return body, readFull(from, body)
}

func receiveMessage(fd int, b, oob []byte) (n, oobn int, err error) {
	for {
		n, oobn, _, _, err = unix.Recvmsg(fd, b, oob, 0)
		if !errors.Is(err, unix.EINTR) {
			return n, oobn, err
		}
	}
}

func readFull(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Read(fd, b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
	}
	return nil
}

// become turns this process into the program, or says why not.
func become(s Spec) *StartError {
	s.Ignored.ignore()
	s.Blocked.block()
	closeStrays()
	if err := keep(s.Further); err != nil {
		return notExecutable(s.Program, fmt.Errorf("passing its descriptors: %w", err))
	}
	if err := s.enter(); err != nil {
		return notExecutable(s.Program, fmt.Errorf("entering the working directory: %w", err))
	}
	if err := s.readValue(); err != nil {
		return notExecutable(s.Program, fmt.Errorf("making its standard input: %w", err))
	}
	if err := connect(s.Streams); err != nil {
		return notExecutable(s.Program, fmt.Errorf("connecting its streams: %w", err))
	}
	if s.Umask >= 0 {
		unix.Umask(s.Umask)
	}
	paths, err := inherit(s.Files)
	if err != nil {
		return notExecutable(s.Program, fmt.Errorf("making a file for it: %w", err))
	}
	paths = append(paths, places(s.Exposed)...)
	env := environment(environment(identified(s.Env, identity()), s.Secrets), paths)
	schedule(s.Schedule)
	for _, l := range s.Limits {
		limit(l) // last: they could keep this process from going on
	}
	args := inserted(s.Args, paths)
	if s.Exact != nil {
		return s.Exact.execute(s, args, env)
	}
	return execute(s.Program, args, env)
}

// connect makes the streams descriptors 0 to 2.
func connect(streams [3]*os.File) error {
	for i, f := range streams {
		if f == nil {
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			f = null
		}
		if err := dup(int(f.Fd()), i); err != nil {
			return err
		}
	}
	return nil
}

// DefaultPath is where programs are when the caller has no PATH.
const DefaultPath = "/usr/local/bin:/usr/bin:/bin"

// execute tries the program wherever it may be, as execvp(3) does.
func execute(program string, args, env []string) *StartError {
	argv := append([]string{program}, args...)
	if strings.Contains(program, "/") {
		return explain(program, try(program, argv, env))
	}
	path, ok := Lookup(env, "PATH")
	if !ok {
		path = DefaultPath
	}
	var denied error
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		switch err := try(dir+"/"+program, argv, env); {
		case errors.Is(err, unix.EACCES):
			denied = err
		case !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR):
			return explain(program, err)
		}
	}
	if denied != nil {
		return explain(program, denied)
	}
	return &StartError{StatusNotFound, program + ": command not found"}
}

// try executes a file. It returns only if that cannot be.
func try(path string, argv, env []string) error {
	err := syscall.Exec(path, argv, env)
	if errors.Is(err, unix.ENOEXEC) {
		// A script without a first line that names its interpreter.
		script := append([]string{"sh", path}, argv[1:]...)
		err = syscall.Exec("/bin/sh", script, env)
	}
	return err
}

func explain(program string, err error) *StartError {
	info, statErr := os.Stat(program)
	switch missing := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR); {
	case statErr == nil && info.IsDir():
		return notExecutable(program, errors.New("is a directory"))
	case !missing:
		return notExecutable(program, err)
	case statErr == nil:
		return &StartError{StatusNotFound, program + ": its interpreter is missing"}
	}
	return &StartError{StatusNotFound, program + ": no such file or directory"}
}
