package e2e

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// pidfile waits for the end of any process, whoever's child it is.
func pidfile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "pidfile FILE...")
	for _, name := range args {
		for _, field := range strings.Fields(ts.ReadFile(name)) {
			pid, err := strconv.Atoi(field)
			ts.Check(err)
			gone(ts, pid)
		}
	}
}

func gone(ts *testscript.TestScript, pid int) {
	ended, err := awaitExit(pid, time.Now().Add(patience))
	ts.Check(err)
	if !ended {
		ts.Fatalf("process %d is still there", pid)
	}
}

func listen(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "listen VAR FILE")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	var count atomic.Int64
	path := ts.MkAbs(args[1])
	ts.Check(os.WriteFile(path, []byte("0\n"), 0o600))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// Written before the peer can see anything of it.
			os.WriteFile(path, []byte(strconv.FormatInt(count.Add(1), 10)+"\n"), 0o600)
			conn.Close()
		}
	})
	ts.Defer(func() {
		l.Close()
		wg.Wait()
	})
}

// signals are the names that signal takes.
var signals = map[string]syscall.Signal{
	"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP,
	"QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "ABRT": syscall.SIGABRT, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
}

// signalCommand finds the newest background command whose arguments begin with
// the given words.
func signalCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "signal SIGNAL COMMAND...")
	sig, ok := signals[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[0])
	}
	var found *exec.Cmd
	for _, cmd := range ts.BackgroundCmds() {
		words := append([]string{filepath.Base(cmd.Args[0])}, cmd.Args[1:]...)
		if len(words) >= len(args)-1 && slices.Equal(words[:len(args)-1], args[1:]) {
			found = cmd
		}
	}
	if found == nil {
		ts.Fatalf("no background command %s", strings.Join(args[1:], " "))
	}
	ts.Check(found.Process.Signal(sig))
	if sig == syscall.SIGSTOP {
		// Else nobody could end it, and the script would wait for it.
		ts.Defer(func() { found.Process.Signal(syscall.SIGCONT) })
		awaitStop(ts, found.Process.Pid)
	}
}

// awaitStop waits until a process has stopped: a busy machine takes its time.
func awaitStop(ts *testscript.TestScript, pid int) {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		ts.Check(err)
		if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "T") {
			return
		}
	}
	ts.Fatalf("process %d does not stop", pid)
}

func portOf(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "portof URL VAR")
	u, err := url.Parse(args[0])
	ts.Check(err)
	ts.Setenv(args[1], u.Port())
}
