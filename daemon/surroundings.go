package daemon

import (
	"fmt"
	"os"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
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
