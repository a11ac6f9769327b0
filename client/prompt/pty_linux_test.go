package prompt

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/vault/opaque"
)

type answer struct {
	value opaque.Bytes
	err   error
}

func ask(ctx context.Context, tty *os.File) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		v, err := secret(ctx, tty, "value of KEY")
		done <- answer{v, err}
	}()
	return done
}

// waitFor reads what the terminal shows up to and with end.
func waitFor(t *testing.T, r *bufio.Reader, end string) string {
	t.Helper()
	var seen strings.Builder
	for !strings.HasSuffix(seen.String(), end) {
		b, err := r.ReadByte()
		if err != nil {
			t.Fatalf("after %q: %v", seen.String(), err)
		}
		seen.WriteByte(b)
	}
	return seen.String()
}

func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	conn, err := tty.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var mode *unix.Termios
	conn.Control(func(fd uintptr) { mode, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) })
	if err != nil {
		t.Fatal(err)
	}
	return mode.Lflag&unix.ECHO != 0
}

func TestSecretOnATerminal(t *testing.T) {
	person, tty := need.Terminal(t)
	screen := bufio.NewReader(person)
	done := ask(t.Context(), tty)
	waitFor(t, screen, "value of KEY: ")
	if echoes(t, tty) {
		t.Error("the terminal echoes")
	}
	person.WriteString("hush\r")
	a := <-done
	if a.err != nil || string(a.value.Reveal()) != "hush" {
		t.Errorf("%q, %v", a.value.Reveal(), a.err)
	}
	if shown := waitFor(t, screen, "\r\x1b[K"); strings.Contains(shown, "hush") || shown != "\r\x1b[K" {
		t.Errorf("shown %q", shown)
	}
	if !echoes(t, tty) {
		t.Error("the terminal was left without echo")
	}
}

func TestSecretStops(t *testing.T) {
	person, tty := need.Terminal(t)
	screen := bufio.NewReader(person)
	ctx, cancel := context.WithCancel(t.Context())
	done := ask(ctx, tty)
	waitFor(t, screen, "value of KEY: ")
	person.WriteString("hu")
	cancel()
	if a := <-done; !errors.Is(a.err, context.Canceled) {
		t.Errorf("%v", a.err)
	}
	if !echoes(t, tty) {
		t.Error("the terminal was left without echo")
	}
}

func TestSecretNeedsATerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := secret(t.Context(), r, "x"); !errors.Is(err, ErrNoTerminal) {
		t.Errorf("%v", err)
	}
}

func TestLineOnATerminal(t *testing.T) {
	person, tty := need.Terminal(t)
	screen := bufio.NewReader(person)
	done := make(chan string, 1)
	go func() {
		text, err := line(t.Context(), tty, "type its name")
		if err != nil {
			text = err.Error()
		}
		done <- text
	}()
	waitFor(t, screen, "type its name: ")
	if !echoes(t, tty) {
		t.Error("the terminal does not echo")
	}
	person.WriteString("a/bx\x7f\r")
	if got := <-done; got != "a/b" {
		t.Errorf("got %q", got)
	}
}

func TestLineStops(t *testing.T) {
	person, tty := need.Terminal(t)
	screen := bufio.NewReader(person)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := line(ctx, tty, "type its name")
		done <- err
	}()
	waitFor(t, screen, "type its name: ")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	person, tty = need.Terminal(t)
	person.WriteString("\x04")
	if _, err := line(t.Context(), tty, "again"); !errors.Is(err, ErrInterrupted) {
		t.Errorf("at the end of input: %v", err)
	}
}
