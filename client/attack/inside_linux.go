package attack

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// An act is what is done inside of a run. Its arguments are the command line's.
type act func(args []string, in io.Reader, out, errs io.Writer) error

// acts are all there are, by their names.
func acts() map[string]act {
	return map[string]act{
		"wait": func(_ []string, in io.Reader, _, _ io.Writer) error {
			_, err := io.Copy(io.Discard, in)
			return err
		},
		"print": func(args []string, _ io.Reader, out, _ io.Writer) error {
			printForms(out, forms(args[0]), args[1])
			return nil
		},
		"halves": func(_ []string, _ io.Reader, out, errs io.Writer) error {
			v := os.Getenv(ipc.CanaryName)
			fmt.Fprint(out, v[:len(v)/2])
			fmt.Fprint(errs, v[len(v)/2:])
			return nil
		},
		"write": func(args []string, _ io.Reader, _, _ io.Writer) error {
			err := os.WriteFile(args[0], []byte(os.Getenv(ipc.CanaryName)), 0o644)
			return errors.Join(err, os.Chmod(args[0], 0o644))
		},
		"orphan":   leaveOrphan,
		"linger":   linger,
		"look":     lookInside,
		"debug":    debugInside,
		"read":     readInside,
		"connect":  connectInside,
		"listen":   listenInside,
		"terminal": onTerminal,
		"family":   family,
		"privileges": func(_ []string, _ io.Reader, out, _ io.Writer) error {
			set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
			fmt.Fprintln(out, set)
			return err
		},
	}
}

// inside carries out an act. What it says of a failure is for the move, and holds no
// value.
func inside(args []string, in io.Reader, out, errs io.Writer) int {
	do, ok := acts()[args[0]]
	if !ok {
		fmt.Fprintln(errs, "no such act")
		return 2
	}
	if err := do(args[1:], in, out, errs); err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}

// again starts this program with another act, in a session of its own, and hears one line of it.
func again(args ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(self, append([]string{"doctor", "--inside"}, args...)...)
	cmd.Args[0] = "cortex"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	return bufio.NewReader(out).ReadString('\n')
}

// leaveOrphan starts a process that starts another one, and ends with the first.
func leaveOrphan(_ []string, _ io.Reader, out, _ io.Writer) error {
	line, err := again("linger", "child")
	if err == nil {
		_, err = io.WriteString(out, line)
	}
	return err
}

// family leaves such a process behind, and waits.
func family(args []string, in io.Reader, out, errs io.Writer) error {
	if err := leaveOrphan(args, in, out, errs); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}

// linger is the second of two processes that left a session, or starts it and ends.
func linger(args []string, _ io.Reader, out, _ io.Writer) error {
	if len(args) > 0 {
		line, err := again("linger")
		fmt.Fprint(out, line)
		return err
	}
	fmt.Fprintf(out, "%d %s\n", os.Getpid(), startOf(os.Getpid()))
	time.Sleep(patience) // if nobody ends it
	return nil
}

// statField returns a process's start time, "" if it has ended.
func statField(stat []byte) string {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}

// lookInside reads what it can of a process, and says what.
func lookInside(args []string, _ io.Reader, out, _ io.Writer) error {
	var pid int
	if _, err := fmt.Sscan(args[0], &pid); err != nil {
		return err
	}
	for _, name := range []string{"environ", "maps", "mem", "fd"} {
		holds, err := look(pid, name)
		fmt.Fprintf(out, "%s %v %v\n", name, holds, unwrapped(err))
	}
	return nil
}

// debugInside gets hold of its own monitor.
func debugInside(_ []string, _ io.Reader, out, _ io.Writer) error {
	usable, err := grips()
	if err != nil {
		return err
	}
	p, err := watchProcess(os.Getppid())
	if err != nil {
		return err
	}
	for _, g := range usable {
		fmt.Fprintf(out, "%s: %v\n", g.name, g.try(p))
	}
	return nil
}

// readInside opens a file, or a directory.
func readInside(args []string, _ io.Reader, out, _ io.Writer) error {
	f, err := os.Open(args[0])
	if err != nil {
		fmt.Fprintf(out, "refused: %v\n", unwrapped(err))
		return nil
	}
	fmt.Fprintln(out, "opened")
	return f.Close()
}

// connectInside asks the daemon how it is. It fails if it gets no answer.
func connectInside(args []string, _ io.Reader, _, _ io.Writer) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: args[0], Net: "unix"})
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("there is no %s", args[0])
	}
	if err != nil {
		return fmt.Errorf("the kernel refused the connection (%w)", unwrapped(err))
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "{\"cmd\":%q}\n", ipc.CmdStatus)
	if n, _ := conn.Read(make([]byte, 1)); n == 0 {
		return errors.New("the daemon closed the connection, and sent nothing")
	}
	return nil
}

// listenInside is a socket that hears one request.
func listenInside(args []string, _ io.Reader, out, _ io.Writer) error {
	unix.Umask(0)
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Fprintln(out, "listening")
	l.(*net.UnixListener).SetDeadline(time.Now().Add(patience))
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(patience))
	heard, _ := conn.Read(make([]byte, 4096))
	_, err = fmt.Fprintf(out, "heard %d bytes\n", heard)
	return err
}
