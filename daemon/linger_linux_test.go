package daemon_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/drop/droptest"
)

// clings are ways to have a daemon close a descriptor: with a request, behind it, beside
// it, in place of a signal, and on a connection on which nothing else comes.
var clings = map[string]func(*net.UnixConn, *os.File) error{
	"with a request": func(c *net.UnixConn, f *os.File) error { return droptest.Send(c, "nonsense\n", f, 0) },
	"behind one": func(c *net.UnixConn, f *os.File) error {
		io.WriteString(c, `{"cmd":"status"}`+"\n")
		droptest.Send(c, "x", f, 0) // which fails if the daemon is done with it
		return nil
	},
	"out of band": func(c *net.UnixConn, f *os.File) error {
		defer io.WriteString(c, `{"cmd":"status"}`+"\n")
		return droptest.Send(c, "x", f, unix.MSG_OOB)
	},
	"with half of one": func(c *net.UnixConn, f *os.File) error { return droptest.Send(c, "{", f, 0) },
	"for a signal": func(c *net.UnixConn, f *os.File) error {
		dir, err := os.Open("/")
		if err != nil {
			return err
		}
		defer dir.Close()
		err = droptest.Send(c, `{"cmd":"run","program":"sleep","args":["1000"],"project":"app","names":[],"v":1,"fds":["cwd"]}`+"\n", dir, 0)
		return errors.Join(err, droptest.Send(c, "x", f, 0))
	},
	"behind a run": func(c *net.UnixConn, f *os.File) error {
		io.WriteString(c, `{"cmd":"run","program":"sleep","args":["0.1"],"project":"app","names":[]}`+"\n")
		return droptest.Send(c, "x", f, 0)
	},
}

// clinging is a process that has a daemon close sockets that linger, in one of the ways,
// and that stays.
func clinging(sock, way, times string) int {
	var n int
	fmt.Sscan(times, &n)
	for range n {
		f, err := droptest.Lingering()
		if err == nil {
			var conn *net.UnixConn
			if conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: sock, Net: "unix"}); err == nil {
				err = clings[way](conn, f)
				conn.CloseWrite()
				go f.Close() // it may be the last
				io.ReadAll(conn)
				conn.Close()
			}
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("sent")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// No thread waits for a client's descriptors, however they come.
func TestDescriptorsThatLinger(t *testing.T) {
	h := newHost(t)
	h.start()
	t.Chdir(h.work)
	h.run("true").want(0, "")
	const times = 40
	for way := range clings {
		t.Run(way, func(t *testing.T) {
			before := threads(t)
			cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{"clinging", h.sock, way, fmt.Sprint(times)}}
			in, errIn := cmd.StdinPipe()
			out, errOut := cmd.StdoutPipe()
			if errIn != nil || errOut != nil || cmd.Start() != nil {
				t.Fatal(errIn, errOut)
			}
			defer cmd.Wait()
			defer in.Close()
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "sent\n" {
				t.Fatalf("%q, %v", line, err)
			}
			h.run("true").want(0, "")
			if n := threads(t) - before; n > times/2 {
				t.Errorf("%d threads more after %d connections", n, times)
			}
		})
	}
}

// threads returns how many this process has. None of them goes again.
func threads(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
