package daemon_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A terminal is the side of a pty that a person would sit at.
type terminal struct {
	t      *testing.T
	master *os.File
	out    *bufio.Reader
}

// open returns a terminal and the side that programs use.
func openTerminal(t *testing.T) (*terminal, *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal("the tests need pseudo-terminals: ", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 77}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &terminal{t, master, bufio.NewReader(master)}, slave
}

// expect reads lines until one holds text.
func (x *terminal) expect(text string) {
	x.t.Helper()
	var seen strings.Builder
	for {
		line, err := x.out.ReadString('\n')
		seen.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			x.t.Fatalf("no %q in %q: %v", text, seen.String(), err)
		}
	}
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// at starts a command as the foreground job of a terminal.
func (h *host) at(command ...string) (*terminal, *exec.Cmd) {
	h.t.Helper()
	x, slave := openTerminal(h.t)
	defer slave.Close()
	cmd := h.launcher(append([]string{"--"}, command...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return x, cmd
}

func (h *host) wantStatus(cmd *exec.Cmd, status int) {
	h.t.Helper()
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != status {
		h.t.Errorf("status %d, want %d", code, status)
	}
}

// The program can use the terminal although it is not its controlling one.
func TestTerminal(t *testing.T) {
	h := newHost(t)
	h.start()
	x, cmd := h.at("sh", "-c", `test -t 0 && test -t 1 && test -t 2 && echo is a terminal; stty size; read line; echo "got $line"; stty -echo; stty -a | grep -o -- -echo.; stty echo; exit 6`)
	x.expect("is a terminal")
	x.expect("33 77")
	x.press("some text\n")
	x.expect("got some text")
	x.expect("-echo")
	h.wantStatus(cmd, 6)

	// Ctrl-C and Ctrl-\ reach the program, through the launcher.
	x, cmd = h.at("sh", "-c", `echo up; exec sleep 1000`)
	x.expect("up")
	x.press("\x03")
	h.wantStatus(cmd, 130)
	x, cmd = h.at("sh", "-c", `trap "echo bye; exit 3" QUIT; echo up; while :; do sleep 1000 & wait $!; done`)
	x.expect("up")
	x.press("\x1c")
	x.expect("bye")
	h.wantStatus(cmd, 3)

	// A new size of the window is told.
	x, cmd = h.at("sh", "-c", `trap "stty size; exit 0" WINCH; echo up; while :; do sleep 1000 & wait $!; done`)
	x.expect("up")
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 11, Col: 22}); err != nil {
		t.Fatal(err)
	}
	x.expect("11 22")
	h.wantStatus(cmd, 0)
}

// Ctrl-Z stops the program and then the launcher, which is what a shell sees
// of the job. The launcher is started by a process of its session, as shells
// do: in an orphaned process group nothing stops.
func TestTerminalStops(t *testing.T) {
	h := newHost(t)
	h.start()
	x, slave := openTerminal(t)
	defer slave.Close()
	inner := h.launcher("--", "sh", "-c", `echo up; read line; echo "got $line"; exit 5`)
	// An interactive shell, with job control.
	cmd := exec.Command("bash", "--norc", "--noprofile", "-i")
	cmd.Env = append(inner.Env, "PS1=$ ", "TERM=dumb", "HISTFILE=")
	cmd.Dir = inner.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal("the tests need bash: ", err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	x.press(fmt.Sprintf("(exec -a cortex-cli /proc/%d/exe run -- sh -c 'echo u''p; read line; echo \"got $line\"; exit 5')\n", os.Getpid()))
	x.expect("up\r")
	x.press("\x1a")
	x.expect("Stopped")
	x.press("echo in ''between; fg\n")
	x.expect("in between")
	x.press("text\n")
	x.expect("got text")
	x.press("echo status $?\n")
	x.expect("status 5")
}
