package daemon_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A window is a person's: a shell in a real terminal, 80 by 24.
type window struct {
	t      *testing.T
	server string   // tmux's
	news   *os.File // gets whatever the terminal does
	seen   string   // what it showed last
}

// window opens one, in which cortex is the command line of the host.
func (h *host) window() *window {
	h.t.Helper()
	w := &window{t: h.t, server: filepath.Join(shortDir(h.t), "t")}
	bash := h.shell("-i")
	shell := exec.Command("tmux", append([]string{"-f", "/dev/null", "-S", w.server, "new-session", "-d", "-x", "80", "-y", "24"}, bash.Args...)...)
	shell.Env, shell.Dir = append(bash.Env, "SHELL=/bin/sh"), bash.Dir
	if text, err := shell.CombinedOutput(); err != nil {
		h.t.Fatalf("the tests need tmux: %v %s", err, text)
	}
	h.t.Cleanup(func() { exec.Command("tmux", "-S", w.server, "kill-server").Run() })
	w.follow()
	w.until("ready$")
	w.keys("set -b; alias run='cortex-cli run --' same='[[ $modes = $(stty -g) ]] && echo the s''ame'; modes=$(stty -g); clear", "Enter")
	w.untilGone("modes=")
	return w
}

// follow has news tell of all that the terminal does.
func (w *window) follow() {
	w.t.Helper()
	path := w.server + ".news"
	if err := unix.Mkfifo(path, 0o600); err != nil {
		w.t.Fatal(err)
	}
	var err error
	if w.news, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.news.Close() })
	w.tmux("pipe-pane", "cat > "+path)
}

func (w *window) tmux(args ...string) string {
	w.t.Helper()
	text, err := exec.Command("tmux", append([]string{"-S", w.server}, args...)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("tmux %q: %v %s", args, err, text)
	}
	return string(text)
}

// keys presses some, by their names in tmux, or types a text.
func (w *window) keys(keys ...string) {
	w.t.Helper()
	w.tmux(append([]string{"send-keys"}, keys...)...)
}

// line types a line.
func (w *window) line(text string) {
	w.t.Helper()
	w.tmux("send-keys", "-l", text)
	w.keys("Enter")
}

// patience is how long anything may take that is waited for.
const patience = 30 * time.Second

// until waits until the terminal shows each of the texts.
func (w *window) until(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		w.await("no "+text, func() bool { return strings.Contains(w.seen, text) })
	}
}

func (w *window) untilGone(text string) {
	w.t.Helper()
	w.await("still "+text, func() bool { return !strings.Contains(w.seen, text) })
}

func (w *window) await(problem string, good func() bool) {
	w.t.Helper()
	for more := make([]byte, 64<<10); ; {
		w.seen = w.tmux("capture-pane", "-p")
		if good() {
			return
		}
		w.news.SetReadDeadline(time.Now().Add(patience))
		if _, err := w.news.Read(more); err != nil {
			w.t.Fatalf("%s: %v\n%s", problem, err, w.seen)
		}
	}
}

// prompt waits until the shell waits.
func (w *window) prompt() {
	w.t.Helper()
	w.await("no prompt", func() bool { return strings.HasSuffix(strings.TrimRight(w.seen, "\n"), "ready$") })
}

// back waits until a command has ended and has left the terminal as it was.
func (w *window) back() {
	w.t.Helper()
	w.prompt()
	w.line("clear; same")
	w.until("the same")
	w.line("clear")
	w.untilGone("the same")
}

func TestEditor(t *testing.T) {
	h := newHost(t)
	h.start()
	w := h.window()
	w.line("run vi -u NONE -N -c 'set laststatus=2' text")
	w.until("~", `"text"`)
	w.keys("i")
	w.line("some text")
	w.keys("Escape")
	// It is stopped, and the shell and its modes are there as if it were not.
	w.keys("C-z")
	w.until("Stopped", "ready$")
	w.untilGone("~")
	w.back()
	w.line("fg")
	w.until("some text", "~")
	// It is as large as the window.
	w.tmux("resize-window", "-x", "60", "-y", "10")
	w.await("no line above the last", func() bool {
		lines := strings.Split(w.seen, "\n")
		return len(lines) > 8 && strings.HasPrefix(lines[8], "text [+]")
	})
	w.line(":wq")
	w.until("ready$")
	w.untilGone("~")
	w.back()
	if text, err := os.ReadFile(filepath.Join(h.work, "text")); err != nil || string(text) != "some text\n\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestPager(t *testing.T) {
	h := newHost(t)
	var long strings.Builder
	for i := range 1000 {
		fmt.Fprintln(&long, "line", i)
	}
	h.write("long", long.String())
	h.start()
	w := h.window()
	// Its input may be anything: it reads keys from the terminal.
	for _, command := range []string{"run less long", "cat long | run less", "run cat long | less"} {
		w.line(command)
		w.until("line 0\n", "line 22")
		w.keys("G")
		w.until("line 999")
		w.keys("q")
		w.until("ready$")
		w.untilGone("line 999")
		w.back()
	}
	w.line("run top")
	w.until("load average", "PID")
	w.keys("q")
	w.until("ready$")
	w.back()
}

func TestInterpreter(t *testing.T) {
	h := newHost(t)
	h.start()
	w := h.window()
	w.line("run python3 -q")
	w.until(">>>")
	w.line("6 * 7")
	w.until("42")
	w.line("import getpass; len(getpass.getpass('wh' + 'o? '))")
	w.until("who?")
	w.line("hunter2")
	w.until("\n7\n")
	if strings.Contains(w.seen, "hunter2") {
		t.Errorf("what was not to be shown is\n%s", w.seen)
	}
	w.line("import time; print('sle'+'eping'); time.sleep(1000)")
	w.until("sleeping")
	w.keys("C-c")
	w.until("KeyboardInterrupt")
	w.keys("C-d")
	w.until("ready$")
	w.back()
	// A shell in a run has jobs of its own, which end with it.
	w.line("run env PS1='inner: ' bash --norc --noprofile -i")
	w.until("inner:")
	w.line("sleep 1000 & sh -c 'echo in''side; exec sleep 2000'")
	w.until("inside")
	w.keys("C-z")
	w.until("Stopped")
	w.line("clear; jobs; jobs -p > pids; exec sh -c 'exit 7'")
	w.until("sleep 1000 &")
	w.prompt()
	w.line("echo sta'tus' $?")
	w.until("status 7")
	pids, _ := os.ReadFile(filepath.Join(h.work, "pids"))
	for _, pid := range strings.Fields(string(pids)) {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("%s is still there", pid)
		}
	}
	if len(pids) == 0 {
		t.Error("there were no jobs")
	}
	w.back()
}

// In the background nothing is taken from whoever has the terminal.
func TestBackground(t *testing.T) {
	h := newHost(t)
	h.start()
	w := h.window()
	w.line("run sh -c 'echo begun; read x; echo got $x; read y; echo and $y' &")
	w.until("begun", "ready$")
	w.line("echo mine is $((6*7))")
	w.until("mine is 42", "Stopped")
	w.line("clear; echo clear'ed'; bg")
	w.until("cleared", "Stopped")
	w.line("fg")
	w.line("one")
	w.until("got one")
	w.keys("C-z")
	w.until("Stopped")
	w.back()
	w.line("fg")
	w.line("two")
	w.until("and two")
	w.back()
	// What writes there may, unless the terminal says otherwise.
	w.line("run sh -c 'sleep 0.1; echo wri''tten' &")
	w.until("written")
	w.until("Done")
	w.line("clear; stty tostop; run sh -c 'sleep 0.1; echo wri''tten' &")
	w.until("Stopped")
	w.line("clear; fg")
	w.until("written")
	w.prompt()
	w.line("stty -tostop")
	w.back()
	// A pipeline and a script are stopped as a whole.
	w.line("sh -c 'run() { cortex-cli run -- \"$@\"; }; run sh -c \"echo up; read x; echo got \\$x\"; echo status $?'")
	w.until("up\n")
	w.keys("C-z")
	w.until("Stopped")
	w.line("fg")
	w.line("three")
	w.until("got three", "status 0")
	w.back()
	w.line("run sh -c 'echo up >&2; while :; do :; done' | cat")
	w.until("up\n")
	w.keys("C-z")
	w.until("Stopped")
	w.line("fg")
	w.until("fg\n")
	w.keys("C-c")
	w.back()
}
