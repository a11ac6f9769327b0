package attack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// ask sends the daemon a request to run a command, past the launcher, and returns what
// the command wrote to its standard output, with the daemon's lines as its standard
// error.
func (t *target) ask(ctx context.Context, more map[string]any, command []string) (output, error) {
	request := map[string]any{
		"cmd": ipc.CmdRun, "v": ipc.VersionCanary, "names": []string{}, "fds": []string{ipc.FileCWD, ipc.FileStdout},
		"program": command[0], "args": command[1:], "env": environment(),
	}
	maps.Copy(request, more)
	line, err := json.Marshal(request)
	if err != nil {
		return output{}, err
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: t.Sock, Net: "unix"})
	if err != nil {
		return output{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	dir, err := os.Open(t.dir)
	if err != nil {
		return output{}, err
	}
	defer dir.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return output{}, err
	}
	defer r.Close()
	_, _, err = conn.WriteMsgUnix(append(line, '\n'), unix.UnixRights(int(dir.Fd()), int(w.Fd())), nil)
	w.Close()
	if err != nil {
		return output{}, fmt.Errorf("asking the daemon: %w", err)
	}
	var o output
	var wg sync.WaitGroup
	wg.Go(func() { o.stdout, _ = io.ReadAll(r) })
	o.stderr, err = io.ReadAll(conn)
	wg.Wait()
	return o, err
}
