// Package prompt asks the person at the terminal. It talks to the controlling
// terminal itself, so that pipes on standard input and output stay free for
// data, and leaves nothing on the screen.
package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// ErrNoTerminal means that there is nobody to ask.
var ErrNoTerminal = errors.New("no terminal to ask on")

// ErrInterrupted means that the person pressed Ctrl-C, or Ctrl-D on an empty
// line.
var ErrInterrupted = errors.New("interrupted at the prompt")

// maxLine is the longest answer, in bytes.
const maxLine = 64 << 10

// Secret shows label on the controlling terminal and reads a line without
// echo. The line's end is not part of the answer, which may be empty. It
// returns ctx's error when ctx ends first, where the system can do that.
func Secret(ctx context.Context, label string) (opaque.Bytes, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return opaque.Bytes{}, ErrNoTerminal
	}
	defer tty.Close()
	return secret(ctx, tty, label)
}

// Line shows label on the controlling terminal and reads a line, which shows as
// it is typed. It ends as [Secret] does.
func Line(ctx context.Context, label string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", ErrNoTerminal
	}
	defer tty.Close()
	return line(ctx, tty, label)
}

func line(ctx context.Context, tty *os.File, label string) (string, error) {
	defer context.AfterFunc(ctx, func() { tty.SetReadDeadline(time.Unix(1, 0)) })()
	fmt.Fprintf(tty, "%s: ", label)
	text, err := readLine(tty)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, io.EOF):
		return "", ErrInterrupted
	}
	return string(text), err
}

func secret(ctx context.Context, tty *os.File, label string) (opaque.Bytes, error) {
	restore, err := raw(tty)
	if err != nil {
		return opaque.Bytes{}, err
	}
	defer restore()
	stop := context.AfterFunc(ctx, func() { tty.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	fmt.Fprintf(tty, "%s: ", label)
	defer io.WriteString(tty, "\r\x1b[K")
	line, err := readLine(tty)
	if ctx.Err() != nil {
		clear(line)
		return opaque.Bytes{}, ctx.Err()
	}
	if err != nil {
		return opaque.Bytes{}, err
	}
	return opaque.New(line), nil
}

// raw turns echo and line editing off. The descriptor is borrowed, not taken:
// taking it would end the deadlines that make reading stoppable.
func raw(tty *os.File) (restore func(), err error) {
	conn, err := tty.SyscallConn()
	if err != nil {
		return nil, err
	}
	var old *term.State
	var rawErr error
	if err := conn.Control(func(fd uintptr) { old, rawErr = term.MakeRaw(int(fd)) }); err != nil {
		return nil, err
	}
	if rawErr != nil {
		return nil, ErrNoTerminal
	}
	return func() { conn.Control(func(fd uintptr) { term.Restore(int(fd), old) }) }, nil
}

// The keys that mean something in raw mode.
const (
	ctrlC     = 3
	ctrlD     = 4
	backspace = 8
	ctrlU     = 21
	del       = 127
)

// readLine reads to the end of a line, one byte at a time: what follows
// belongs to somebody else.
func readLine(r io.Reader) ([]byte, error) {
	line := make([]byte, 0, 256)
	var key [1]byte
	for {
		if _, err := io.ReadFull(r, key[:]); err != nil {
			clear(line)
			return nil, err
		}
		switch k := key[0]; {
		case k == '\r' || k == '\n':
			return line, nil
		case k == ctrlC || k == ctrlD && len(line) == 0:
			clear(line)
			return nil, ErrInterrupted
		case k == backspace || k == del:
			line = dropRune(line)
		case k == ctrlU:
			clear(line)
			line = line[:0]
		case k == '\t' || k >= ' ':
			line = push(line, k)
		}
		if len(line) > maxLine {
			clear(line)
			return nil, fmt.Errorf("answer longer than %d bytes", maxLine)
		}
	}
}

// push appends, and wipes what growing leaves behind.
func push(line []byte, b byte) []byte {
	if len(line) < cap(line) {
		return append(line, b)
	}
	grown := append(make([]byte, 0, 2*cap(line)), line...)
	clear(line)
	return append(grown, b)
}

func dropRune(line []byte) []byte {
	_, n := utf8.DecodeLastRune(line)
	rest := line[:len(line)-n]
	clear(line[len(rest):])
	return rest
}
