package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// maxSecret is the longest password or admin token read, in bytes.
const maxSecret = 4096

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

// read returns the secret and where it was found; the zero Bytes if nowhere.
// One that is there but blank is an error: somebody meant to set it.
func (in secretInput) read() (secret opaque.Bytes, from string, err error) {
	if text, ok := os.LookupEnv(in.variable); ok {
		if err := os.Unsetenv(in.variable); err != nil {
			return opaque.Bytes{}, "", fmt.Errorf("unsetting %s: %w", in.variable, err)
		}
		return trimmed([]byte(text), "$"+in.variable)
	}
	if in.file != "" {
		return readSecretFile(in.file)
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return opaque.Bytes{}, "", nil
	}
	secret, from, err = readSecretFile(filepath.Join(dir, in.credential))
	if errors.Is(err, os.ErrNotExist) {
		return opaque.Bytes{}, "", nil
	}
	return secret, from, err
}

func readSecretFile(path string) (opaque.Bytes, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return opaque.Bytes{}, "", err
	}
	defer f.Close()
	text := make([]byte, maxSecret+1)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		clear(text)
		return opaque.Bytes{}, "", err
	}
	return trimmed(text[:n], path)
}

// trimmed cuts white space off, and refuses what is blank or too long.
func trimmed(text []byte, from string) (opaque.Bytes, string, error) {
	secret := bytes.TrimSpace(text)
	switch {
	case len(secret) == 0:
		return opaque.Bytes{}, "", fmt.Errorf("%s is blank", from)
	case len(text) > maxSecret:
		clear(text)
		return opaque.Bytes{}, "", fmt.Errorf("%s is longer than %d bytes", from, maxSecret)
	}
	return opaque.New(secret), from, nil
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
	password, err := readPasswordLine(stdin)
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
	line := make([]byte, 0, maxSecret+1)
	for len(line) <= maxSecret {
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
	password, _, err := trimmed(line, "the password")
	return password, err
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

// promptOnce reads a line without echo, which is off before it asks. Reading a
// terminal cannot be stopped, so when ctx ends that is left to the end of the
// process, which is near.
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
	type answer struct {
		password opaque.Bytes
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		password, err := readPasswordLine(tty)
		answers <- answer{password, err}
	}()
	select {
	case <-ctx.Done():
		return opaque.Bytes{}, ctx.Err()
	case a := <-answers:
		if errors.Is(a.err, io.EOF) {
			return opaque.Bytes{}, errNoPassword
		}
		return a.password, a.err
	}
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
