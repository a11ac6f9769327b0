package command

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// statusNotFound is the exit status of a command that there is not, as shells
// have it.
const statusNotFound = 127

// A runRequest is a command that is to run here: with this process's
// directory, environment, umask, limits and streams.
type runRequest struct {
	sock    string
	request ipc.Request
	dir     *os.File
	streams [3]*os.File
	// further are the descriptors beyond these, until they are sent, and left those that
	// are too many.
	further, left []int
	// terminal is the caller's, nil if there is none.
	terminal *terminal
	// news hears what is waited for, what the vault has nothing for, and what is
	// not masked, before the command runs.
	news func(ipc.Response)
	// key is the signal by which the terminal's keyboard ended the command, and which
	// this process has not had; 0 for none.
	key syscall.Signal
	// kept tells that the daemon keeps the descriptors, and that there is no other try.
	kept bool
	// asJSON has what is to be said written for programs.
	asJSON bool
}

// newRunRequest describes a run of a command, whose program is its first word.
// Close it.
func newRunRequest(sock, project, url string, names, command []string) (*runRequest, error) {
	if command[0] == "" {
		return nil, &ExitError{Code: statusNotFound, Err: errors.New("'': command not found")}
	}
	dir, err := openDir()
	if err != nil {
		return nil, fmt.Errorf("opening the working directory: %w", err)
	}
	if names == nil {
		names = []string{} // null would mean that the daemon is to look
	}
	r := &runRequest{sock: sock, dir: dir, streams: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}, news: func(ipc.Response) {}}
	r.request = ipc.Request{
		Cmd: ipc.CmdRun, V: ipc.Version, Project: project, Names: &names,
		Program: ipc.Text(command[0]), Args: ipc.Texts(command[1:]),
		FDs: []string{ipc.FileCWD, ipc.FileStdin, ipc.FileStdout, ipc.FileStderr},
		Env: ipc.Texts(variables(os.Environ())), Umask: new(umask()), Limits: limits(),
	}
	r.request.Schedule = schedule()
	r.request.Ignored, r.request.Blocked = dispositions()
	if url != "" {
		r.request.URL = &url
	}
	if r.terminal, err = openTerminal(r.streams); err != nil {
		r.close()
		return nil, fmt.Errorf("opening the terminal: %w", err)
	}
	if t := r.terminal; t != nil {
		r.request.FDs = append(r.request.FDs, ipc.FileTerminal, ipc.FileRelay)
		r.request.Background = !t.mine()
	}
	return r, nil
}

func (r *runRequest) close() {
	r.dir.Close()
	r.terminal.close()
}

// descriptors returns them in the order of the request's FDs.
func (r *runRequest) descriptors() []int {
	fds := []int{int(r.dir.Fd())}
	for _, f := range r.streams {
		fds = append(fds, int(f.Fd()))
	}
	if t := r.terminal; t != nil {
		fds = append(fds, t.fd(), int(t.far.Fd()))
	}
	return append(fds, r.further...)
}

// variables leaves out what is no variable, which an environment may hold.
func variables(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool { return strings.IndexByte(v, '=') < 1 })
}

// umask returns the mask, which can only be had by changing it.
func umask() int {
	mask := unix.Umask(0o077)
	unix.Umask(mask)
	return mask
}
