package daemon_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// A terminal is the side of a pty that a person would sit at.
type terminal struct {
	t      *testing.T
	master *os.File
	fd     int // of master
	out    *bufio.Reader
	fresh  unix.Termios // as it was in the beginning
}

// open returns a terminal and the side that programs use.
func openTerminal(t *testing.T) (*terminal, *os.File) {
	t.Helper()
	// The slave stays open to the end, or there would be an end whenever nobody else has it.
	master, slave := need.Terminal(t)
	fd := int(master.Fd())
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 77}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.SetNonblock(fd, true), master.SetReadDeadline(time.Now().Add(patience))); err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, master: master, fd: fd, out: bufio.NewReader(master)}
	x.fresh = x.modes()
	return x, slave
}

// expect reads until there is a text.
func (x *terminal) expect(text string) {
	x.t.Helper()
	var seen strings.Builder
	for !strings.HasSuffix(seen.String(), text) {
		c, err := x.out.ReadByte()
		if err != nil {
			x.t.Fatalf("no %q in %q: %v", text, seen.String(), err)
		}
		seen.WriteByte(c)
	}
}

// expectLine reads the next line.
func (x *terminal) expectLine(want string) {
	x.t.Helper()
	if line, err := x.out.ReadString('\n'); err != nil || strings.TrimRight(line, "\r\n") != want {
		x.t.Fatalf("%q, want %q: %v", line, want, err)
	}
}

func (x *terminal) modes() unix.Termios {
	x.t.Helper()
	modes, err := unix.IoctlGetTermios(x.fd, unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return *modes
}

// wantModes fails the test unless the terminal is as it was.
func (x *terminal) wantModes(after any) {
	x.t.Helper()
	if modes := x.modes(); modes != x.fresh {
		x.t.Errorf("after %v: %+v, before %+v", after, modes, x.fresh)
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
	return h.sit(h.launcher(append([]string{"--"}, command...)...))
}

// sit starts a command at a terminal.
func (h *host) sit(cmd *exec.Cmd) (*terminal, *exec.Cmd) {
	h.t.Helper()
	x, slave := openTerminal(h.t)
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

// shell returns a shell in which cortex-cli is a command.
func (h *host) shell(args ...string) *exec.Cmd {
	inner := h.launcher()
	cmd := exec.Command("bash", append([]string{"--norc", "--noprofile"}, args...)...)
	cmd.Env, cmd.Dir = append(h.withCortex(inner.Env), "PS1=ready$ ", "HISTFILE="), inner.Dir
	return cmd
}

// withCortex returns an environment in which cortex-cli is a command.
func (h *host) withCortex(env []string) []string {
	h.t.Helper()
	bin := h.t.TempDir()
	if err := os.Symlink(fmt.Sprintf("/proc/%d/exe", os.Getpid()), filepath.Join(bin, "cortex-cli")); err != nil {
		h.t.Fatal(err)
	}
	return append(env, "PATH="+bin+":"+os.Getenv("PATH"))
}

func (h *host) wantStatus(cmd *exec.Cmd, status int) {
	h.t.Helper()
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != status {
		h.t.Errorf("status %d, want %d", code, status)
	}
}

func TestTerminal(t *testing.T) {
	h := newHost(t)
	h.start()
	x, cmd := h.at("sh", "-c", `test -t 0 && test -t 1 && test -t 2 && echo is a terminal > /dev/tty; stty size; read line; echo "got $line"; stty -echo; stty -a | grep -o -- -echo.; stty echo; exit 6`)
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
	if err := cmd.Wait(); cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != unix.SIGINT {
		t.Errorf("not ended by SIGINT: %v", err)
	}
	x, cmd = h.at("sh", "-c", `trap "echo bye; exit 3" QUIT; echo up; while :; do sleep 1000 & wait $!; done`)
	x.expect("up")
	x.press("\x1c")
	x.expect("bye")
	h.wantStatus(cmd, 3)

	// What ends by a key has the rest of the job end by it, too, as without a launcher.
	for signal, key := range map[syscall.Signal]string{unix.SIGINT: "\x03", unix.SIGQUIT: "\x1c"} {
		script := h.shell("-c", `cortex-cli run -- sh -c 'echo up; exec sleep 1000'; echo went on`)
		if signal == unix.SIGQUIT { // which bash ignores
			script.Path, script.Args = "/bin/sh", slices.Concat([]string{"sh"}, script.Args[3:])
		}
		x, cmd = h.sit(script)
		x.expect("up")
		x.press(key)
		if err := cmd.Wait(); cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != signal {
			t.Errorf("the shell was not ended by %v: %v", signal, err)
		}
		x.wantModes(signal)
	}
	// What gets the key and ends otherwise, or by a signal from elsewhere, ends alone.
	x, cmd = h.sit(h.shell("-c", `cortex-cli run -- sh -c 'trap "exit 3" INT; echo up; while :; do sleep 1000 & wait $!; done'; echo went on, $?; cortex-cli run -- sh -c 'kill -INT $$'; echo went on, $?`))
	x.expect("up")
	x.press("\x03")
	x.expect("went on, 3")
	x.expect("went on, 130")
	h.wantStatus(cmd, 0)

	// A new size of the window is told.
	x, cmd = h.at("sh", "-c", `trap "stty size; exit 0" WINCH; echo up; while :; do sleep 1000 & wait $!; done`)
	x.expect("up")
	if err := unix.IoctlSetWinsize(x.fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 11, Col: 22}); err != nil {
		t.Fatal(err)
	}
	x.expect("11 22")
	h.wantStatus(cmd, 0)
}

// Ctrl-Z stops the program and then the launcher, which is what a shell sees
// of the job.
func TestTerminalStops(t *testing.T) {
	h := newHost(t)
	h.start()
	x, _ := h.sit(h.shell("-i")) // interactive: with job control
	x.press("cortex-cli run -- sh -c 'echo u''p; read line; echo \"got $line\"; exit 5'\n")
	x.expect("up\r")
	x.press("\x1a")
	x.expect("Stopped")
	x.press("echo in ''between; fg\n")
	x.expect("in between")
	x.press("text\n")
	x.expect("got text")
	x.expect("ready$ ") // before that, keys are the program's
	x.press("echo status $?\n")
	x.expect("status 5")
}

// What is no job of a shell does not stop: nobody would have it go on.
func TestTerminalOrphan(t *testing.T) {
	h := newHost(t)
	h.start()
	x, cmd := h.at("sh", "-c", `echo up; read line; echo "got $line"`)
	x.expect("up")
	x.press("\x1a")
	x.press("text\n")
	x.expect("got text")
	h.wantStatus(cmd, 0)
}

// Exactly those streams are terminals that the caller's are, and stay apart from
// the others. There is always a controlling terminal.
func TestTerminalStreams(t *testing.T) {
	h := newHost(t)
	h.start()
	for _, row := range []struct{ redirect, terminals, file string }{
		{"", "012", ""},
		{"< /dev/null", "12", ""},
		{"> out", "02", "out\n"},
		{"2> out", "01", "err\n"},
		{"< /dev/null > out 2>&1", "", "out\nerr\n"},
	} {
		h.write("out", "")
		x, cmd := h.sit(h.shell("-c", `exec cortex-cli run -- sh -c 'for i in 0 1 2; do test -t $i && printf $i > /dev/tty; done; echo . > /dev/tty; echo out; echo err >&2' `+row.redirect))
		x.expectLine(row.terminals + ".")
		h.wantStatus(cmd, 0)
		if file, err := os.ReadFile(filepath.Join(h.work, "out")); err != nil || string(file) != row.file {
			t.Errorf("%s: %q, %v", row.redirect, file, err)
		}
	}
}

// A further descriptor that is the terminal is the program's own one there, and masked; so is
// what is opened as /dev/tty.
func TestTerminalFurther(t *testing.T) {
	h := newHost(t)
	h.start()
	for _, redirect := range []string{"3>&1", "3<>/dev/tty", "3>/dev/tty"} {
		x, cmd := h.sit(h.shell("-c", `exec cortex-cli run -- sh -c 'readlink /proc/$$/fd/3 >name; tty >other; cmp name other && echo "same $OPENAI_API_KEY" >&3' `+redirect))
		x.expect("same " + marker)
		h.wantStatus(cmd, 0)
	}
}

// Nothing that a program sees is in the way: it does not wait where it would not.
func TestTerminalWaits(t *testing.T) {
	h := newHost(t)
	h.start()
	x, cmd := h.at("python3", "-c", `import fcntl, os; print("flags", [fcntl.fcntl(i, fcntl.F_GETFL) & os.O_NONBLOCK for i in range(3)])`)
	x.expect("flags [0, 0, 0]")
	h.wantStatus(cmd, 0)
}

// What is shown is masked: at once where it cannot be a value, and without a gap
// on a screen that the program fills.
func TestTerminalMasks(t *testing.T) {
	h := newHost(t)
	h.start()
	x, cmd := h.at("sh", "-c", `echo "<$OPENAI_API_KEY>"; printf "\033[?1049h$OPENAI_API_KEY|\033[?1049l$OPENAI_API_KEY|\n"; printf "who? s"; read x`)
	x.expectLine("<" + marker + ">")
	x.expect("\x1b[?1049h‹cortex:O|\x1b[?1049l" + marker + "|\r\n")
	x.expect("who? s")
	x.press("\n")
	h.wantStatus(cmd, 0)
}

// The caller's terminal is left as it was, whoever dies.
func TestTerminalIsRestored(t *testing.T) {
	h := newHost(t)
	kill := h.startApart()
	nothing := func() {}
	for _, row := range []struct {
		command []string
		do      func()
		status  int
	}{
		{[]string{"sh", "-c", "stty raw -echo; echo up; exit 3"}, nothing, 3},
		{[]string{"sh", "-c", "stty raw -echo; echo up; kill -9 $$"}, nothing, 137},
		{[]string{"sh", "-c", "echo up; read x; kill -9 $PPID"}, nothing, 1}, // the monitor
		{[]string{"sh", "-c", "echo up; sleep 1000"}, kill, 1},
	} {
		x, cmd := h.at(row.command...)
		x.expect("up")
		row.do()
		x.press("\n")
		h.wantStatus(cmd, row.status)
		x.wantModes(row.command)
	}
	x, cmd := h.at("true") // without a daemon
	h.wantStatus(cmd, 1)
	x.wantModes("no daemon")
}

// When the window is closed the program hears of it, and has no terminal any more.
func TestTerminalHangsUp(t *testing.T) {
	h := newHost(t)
	h.start()
	x, cmd := h.at("sh", "-c", `echo up; exec sleep 1000`)
	x.expect("up")
	x.master.Close()
	h.wantStatus(cmd, 129)
	x, cmd = h.at("sh", "-c", `trap "" HUP; echo up; read x; echo "end $?" > ended; exit 6`)
	x.expect("up")
	x.master.Close()
	h.wantStatus(cmd, 6)
	if text, err := os.ReadFile(filepath.Join(h.work, "ended")); err != nil || string(text) != "end 1\n" {
		t.Errorf("%q, %v", text, err)
	}
}
