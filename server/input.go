package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

// A secretInput is a secret that the server is given when it starts. It is
// looked for in that order, and white space around it does not count.
type secretInput struct {
	// variable is the environment variable that holds it. It is unset once
	// read, so that no child inherits it.
	variable string
	// file is the name of a file that holds it.
	file string
	// credential is its name among the credentials that systemd passes on in
	// $CREDENTIALS_DIRECTORY.
	credential string
}

// A found is a secret and where it was; the zero value if it was nowhere.
type found struct {
	opaque.Bytes
	from string
}

// find looks for the secret. One that is there but blank is an error: somebody
// meant to set it. The log hears of a file that is open to others.
func (in secretInput) find(ctx context.Context, log *slog.Logger) (found, error) {
	if text, ok := os.LookupEnv(in.variable); ok {
		if err := os.Unsetenv(in.variable); err != nil {
			return found{}, fmt.Errorf("unsetting %s: %w", in.variable, err)
		}
		from := "$" + in.variable
		secret, err := secretfile.Trim([]byte(text), from)
		return found{secret, from}, err
	}
	path, dir := in.file, os.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case path != "":
	case dir == "":
		return found{}, nil
	default:
		path = filepath.Join(dir, in.credential)
	}
	secret, err := secretfile.Read(ctx, path, warnExposed(log))
	if in.file == "" && errors.Is(err, os.ErrNotExist) {
		return found{}, nil
	}
	return found{secret, path}, err
}

// warnExposed returns what tells the log of a file that is open to others.
func warnExposed(log *slog.Logger) func(path string) {
	return func(path string) {
		log.Warn("a file with a secret is open to others than its owner", "file", path, "hint", "chmod 600 "+path)
	}
}

// errNoPassword: there is no place to get the operator password from.
var errNoPassword = errors.New("no operator password: set CORTEX_KEK_PASSWORD_FILE or CORTEX_KEK_PASSWORD, pass the systemd credential kek-password, start the server at a terminal, or write a line to its standard input")

// askPassword gets the operator password from whoever started the server: a
// person at the terminal, who types it twice if it is new, or a program that
// writes a line to stdin.
func askPassword(ctx context.Context, stdin *os.File, fresh bool) (opaque.Bytes, error) {
	if term.IsTerminal(int(stdin.Fd())) {
		return promptPassword(ctx, stdin, fresh)
	}
	password, err := awaitPasswordLine(ctx, stdin)
	if !errors.Is(err, io.EOF) {
		return password, err
	}
	// Nothing was piped in, as when stdin is /dev/null: there may still be
	// somebody at the terminal.
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return opaque.Bytes{}, errNoPassword
	}
	defer tty.Close()
	return promptPassword(ctx, tty, fresh)
}

// readPasswordLine reads one line and nothing that follows it. No line at all
// is io.EOF.
func readPasswordLine(r io.Reader) (opaque.Bytes, error) {
	line := make([]byte, 0, secretfile.Max+1)
	for len(line) <= secretfile.Max {
		n, err := r.Read(line[len(line) : len(line)+1])
		line = line[:len(line)+n]
		if n > 0 && line[len(line)-1] == '\n' || errors.Is(err, io.EOF) && len(line) > 0 {
			break
		}
		if err != nil {
			clear(line)
			return opaque.Bytes{}, err
		}
	}
	return secretfile.Trim(line, "the password")
}

// awaitPasswordLine is readPasswordLine, until ctx ends. Reading cannot be stopped, so
// that is left to the end of the process, which is near.
func awaitPasswordLine(ctx context.Context, r io.Reader) (opaque.Bytes, error) {
	type answer struct {
		password opaque.Bytes
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		password, err := readPasswordLine(r)
		answers <- answer{password, err}
	}()
	select {
	case <-ctx.Done():
		return opaque.Bytes{}, ctx.Err()
	case a := <-answers:
		return a.password, a.err
	}
}

// promptPassword asks on a terminal, without echo.
func promptPassword(ctx context.Context, tty *os.File, fresh bool) (opaque.Bytes, error) {
	ask := "cortex: the vault is SEALED. Operator password: "
	if fresh {
		ask = "cortex: this is a new vault. Choose its operator password: "
	}
	password, err := promptOnce(ctx, tty, ask)
	if err != nil || !fresh {
		return password, err
	}
	again, err := promptOnce(ctx, tty, "cortex: the same password again: ")
	if err != nil {
		return opaque.Bytes{}, err
	}
	defer again.Wipe()
	if !bytes.Equal(password.Reveal(), again.Reveal()) {
		return opaque.Bytes{}, errors.New("the two passwords differ; start again")
	}
	return password, nil
}

// promptOnce reads a line without echo, which is off before it asks.
func promptOnce(ctx context.Context, tty *os.File, ask string) (opaque.Bytes, error) {
	restore, err := echoOff(int(tty.Fd()))
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("preparing terminal: %w", err)
	}
	defer func() {
		restore()
		fmt.Fprintln(tty)
	}()
	fmt.Fprint(tty, ask)
	password, err := awaitPasswordLine(ctx, tty)
	if errors.Is(err, io.EOF) {
		err = errNoPassword
	}
	return password, err
}

// echoOff makes a terminal keep what is typed to itself, line by line, and
// returns what puts it back.
func echoOff(fd int) (restore func(), err error) {
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, setTermios, &quiet); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }, nil
}
