package server

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// converse answers each question on a terminal with a line, and returns all
// that the terminal showed until the last question.
func converse(t *testing.T, person *os.File, answers ...string) string {
	t.Helper()
	r := bufio.NewReader(person)
	var seen strings.Builder
	for _, answer := range answers {
		for {
			b, err := r.ReadByte()
			if err != nil {
				t.Fatalf("after %q: %v", seen.String(), err)
			}
			seen.WriteByte(b)
			if b == ':' && strings.Count(seen.String(), ":") >= 2 {
				if next, err := r.Peek(1); err == nil && next[0] == ' ' {
					break
				}
			}
		}
		fmt.Fprintln(person, answer)
	}
	return seen.String()
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	person, tty := need.Terminal(t)
	p := start(t, dir, tty, nil, "serve")
	seen := converse(t, person, testPassword, testPassword)
	p.waitFor(t, "listening")
	p.stop(t)
	if !strings.Contains(seen, "new vault") || strings.Contains(seen, "horse") {
		t.Errorf("the terminal shows %q", seen)
	}
	person, tty = need.Terminal(t)
	p = start(t, dir, tty, nil, "serve")
	if seen := converse(t, person, testPassword); !strings.Contains(seen, "SEALED") {
		t.Errorf("the terminal shows %q", seen)
	}
	p.waitFor(t, "listening")
	p.stop(t)
}

func TestTerminalMistypedPassword(t *testing.T) {
	person, tty := need.Terminal(t)
	p := start(t, "", tty, nil, "serve")
	converse(t, person, testPassword, testPassword+"x")
	if status, log := p.end(t); status != 1 || !strings.Contains(log, "differ") {
		t.Errorf("status %d: %s", status, log)
	}
}

// Whoever gives up at the prompt gets the terminal back as it was.
func TestTerminalInterrupted(t *testing.T) {
	person, tty := need.Terminal(t)
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "", tty, nil, "serve")
	seen := bufio.NewReader(person)
	if _, err := seen.ReadString(':'); err != nil {
		t.Fatal(err)
	}
	if _, err := seen.ReadString(':'); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGINT)
	status, log := p.end(t)
	if status == 0 || strings.Contains(log, "listening") {
		t.Errorf("status %d: %s", status, log)
	}
	after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || after.Lflag != before.Lflag {
		t.Errorf("local modes %x, before %x, %v", after.Lflag, before.Lflag, err)
	}
}
