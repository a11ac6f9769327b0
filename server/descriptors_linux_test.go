package server

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A server that runs out of descriptors goes on as soon as there are some
// again.
func TestOutOfDescriptors(t *testing.T) {
	p := serve(t, "", "ADMIN_TOKEN=0123456789abcdef")
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: uint64(len(open)) + 8, Max: uint64(len(open)) + 8}
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for range 40 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	// Those that were accepted are served; the last one waits.
	ask := func(c net.Conn) (string, error) {
		if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			return "", err
		}
		return bufio.NewReader(c).ReadString('\n')
	}
	if line, err := ask(conns[0]); err != nil || !strings.Contains(line, "200") {
		t.Errorf("an accepted one: %q, %v", line, err)
	}
	for _, c := range conns[:len(conns)-1] {
		c.Close()
	}
	if line, err := ask(conns[len(conns)-1]); err != nil || !strings.Contains(line, "200") {
		t.Errorf("the last one: %q, %v", line, err)
	}
	p.stop(t)
}
