package redteam

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is tried by not reading what a command writes.
var unreadMoves = map[string]hostMove{"unread-after-freeze": unreadAfterFreeze}

// Commands that write without end, of which nobody reads anything, when their project is
// frozen: their standard output, a descriptor above 2, and what the daemon tells.
func unreadAfterFreeze(t *testing.T, h *host) outcome {
	project, variable, _, _ := h.owned(t)
	h.onFreeze(t, project, "end")
	var pids []int
	for _, to := range []string{"1", "2", "3"} {
		pids = append(pids, h.unread(t, project, variable, to))
	}
	pids = append(pids, h.untold(t, project, variable))
	h.freeze(t, project)
	end := time.Now().Add(3 * time.Second) // a second, and what a busy machine takes
	for _, pid := range pids {
		for lives(pid) {
			if time.Now().After(end) {
				t.Logf("process %d goes on", pid)
				return open
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return stopped
}

// unread starts a command that fills a descriptor which nobody reads, under a launcher that
// is stopped then, and returns the command's process.
func (h *host) unread(t *testing.T, project, variable, to string) int {
	t.Helper()
	dir := open777(t)
	cmd := h.launcher(t, h.alice, project, variable, "sh", "-c", writePID+"exec yes >&$2", "sh", dir, to)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = w, w, []*os.File{w}
	err = cmd.Start()
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		r.Close()
		cmd.Wait()
	})
	full(t, r)
	halt(t, cmd.Process.Pid)
	return pidOf(t, string(read(t, filepath.Join(dir, "pid"))))
}

// writePID has a shell write its process id into a file of the directory that is its first
// argument.
const writePID = `echo $$ > "$1/next"; mv "$1/next" "$1/pid"; `

// untold starts a command that no signal ends, for which the daemon is sent so many that
// it could not tell of all, and returns the command's process.
func (h *host) untold(t *testing.T, project, variable string) int {
	t.Helper()
	dir := open777(t)
	request := marshal(object{
		"cmd": "run", "v": 1, "fds": []string{"cwd"}, "acks": true, "project": project, "names": []string{variable}, "env": []string{"PATH=" + os.Getenv("PATH")},
		"program": "sh", "args": []string{"-c", "trap '' TERM; " + writePID + "exec sleep 1000", "sh", dir},
	})
	cmd := h.tool(t, h.alice, "nag", h.sock, string(request))
	in, out := pipes(t, cmd)
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	pid := settled(t, filepath.Join(dir, "pid"))
	fmt.Fprintln(in)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "nagged\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return pid
}

// full waits until a pipe has no room for more than a page.
func full(t *testing.T, r *os.File) {
	t.Helper()
	size, err := unix.FcntlInt(r.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		switch {
		case err != nil:
			t.Fatal(err)
		case n > size-os.Getpagesize():
			return
		case time.Now().After(end):
			t.Fatalf("%d bytes came", n)
		}
	}
}
