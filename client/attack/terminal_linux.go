package attack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// openPTY returns both ends of a new terminal.
func openPTY() (near, far *os.File, err error) {
	if near, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	if err = unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0); err == nil {
		var n uint32
		if n, err = unix.IoctlGetUint32(int(near.Fd()), unix.TIOCGPTN); err == nil {
			far, err = os.OpenFile("/dev/pts/"+strconv.FormatUint(uint64(n), 10), os.O_RDWR|unix.O_NOCTTY, 0)
		}
	}
	if err != nil {
		near.Close()
		return nil, nil, err
	}
	return near, far, nil
}

// atTerminal does something inside of a run at a terminal, and returns what the terminal
// showed, and what was typed into it and is left.
func (t *target) atTerminal(ctx context.Context, args ...string) (seen, typed []byte, err error) {
	near, far, err := openPTY()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: no terminal can be opened: %w", errUntried, err)
	}
	defer near.Close()
	defer far.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it took too long"))
	defer cancel()
	args = append([]string{"terminal"}, append(args, far.Name())...)
	cmd := t.launcher(ctx, t.inside(args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	before, err := unix.IoctlGetTermios(int(far.Fd()), unix.TCGETS)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, nil, err
	}
	var wg sync.WaitGroup
	wg.Go(func() { seen = readUntil(near, endOfAct) })
	err = cmd.Wait()
	after, getErr := unix.IoctlGetTermios(int(far.Fd()), unix.TCGETS)
	changed := getErr == nil && *before != *after
	// What is not an end of a line waits for one otherwise.
	if _, rawErr := term.MakeRaw(int(far.Fd())); err == nil {
		err = rawErr
	}
	typed = pending(far)
	if err != nil {
		io.WriteString(far, endOfAct)
	}
	wg.Wait()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the run at a terminal failed: %w: %s", errUntried, err, bytes.TrimSpace(seen))
	}
	if changed {
		err = errModes
	}
	return seen, typed, err
}

// endOfAct is the last that an act at a terminal prints.
const endOfAct = "end of the act"

// readUntil reads until a text has come, or nothing comes any more.
func readUntil(r io.Reader, end string) (all []byte) {
	part := make([]byte, 4096)
	for !bytes.Contains(all, []byte(end)) {
		n, err := r.Read(part)
		all = append(all, part[:n]...)
		if err != nil {
			return all
		}
	}
	return all
}

// pending reads what waits to be read.
func pending(f *os.File) []byte {
	fd := int(f.Fd())
	if unix.SetNonblock(fd, true) != nil {
		return nil
	}
	all := make([]byte, 4096)
	n, _ := unix.Read(fd, all)
	return all[:max(n, 0)]
}

// onTerminal does something at the terminal of a run. The last argument is the path of
// the caller's.
func onTerminal(args []string, _ io.Reader, out, _ io.Writer) error {
	defer io.WriteString(out, endOfAct)
	callers := args[len(args)-1]
	switch args[0] {
	case "type":
		return typeInto(out, "/dev/tty", callers)
	case "escapes":
		_, err := fmt.Fprintf(out, "\x1b]52;c;%s\a\x1b]0;%s\a", args[1], args[1])
		return err
	case "modes":
		_, err := term.MakeRaw(0)
		return err
	case "cursor":
		place(out, 1, os.Getenv(ipc.CanaryName))
		place(out, 2, args[1])
	}
	return nil
}

// typeInto types into terminals as if it were a keyboard, and says what came of it.
func typeInto(out io.Writer, paths ...string) error {
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err == nil {
			err = unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCSTI, 'x')
			f.Close()
		}
		fmt.Fprintf(out, "%s: %v\n", path, unwrapped(err))
	}
	return nil
}

// place prints a text from its end to its beginning, each character where it belongs.
func place(out io.Writer, row int, text string) {
	for i := len(text) - 1; i >= 0; i-- {
		fmt.Fprintf(out, "\x1b[%d;%dH%c", row, i+1, text[i])
	}
}

// placed is a row of what the screen shows after [place].
func placed(seen string, row int) []byte {
	line := bytes.Repeat([]byte{' '}, 200)
	for _, part := range strings.Split(seen, fmt.Sprintf("\x1b[%d;", row))[1:] {
		column, rest, ok := strings.Cut(part, "H")
		n, err := strconv.Atoi(column)
		if ok && err == nil && n > 0 && n <= len(line) && rest != "" {
			line[n-1] = rest[0]
		}
	}
	return line
}

// keyboard types into the terminal of the caller.
func keyboard(ctx context.Context, t *target) (finding, error) {
	seen, typed, err := t.atTerminal(ctx, "type")
	switch {
	case err != nil:
		return finding{}, err
	case slices.Contains(typed, 'x'):
		return open("what the command typed waits for the caller's shell")
	}
	words := strings.FieldsFunc(string(seen), func(r rune) bool { return r == '\r' || r == '\n' })
	if len(words) < 2 {
		return untried("the command says nothing of it")
	}
	if strings.HasSuffix(words[0], "<nil>") {
		return stopped("the command typed into the terminal of its own, and the caller's stayed empty")
	}
	return stopped("the kernel refuses it (%s), and the command has a terminal of its own", words[0])
}

// terminalModes leaves the caller's terminal without an echo.
func terminalModes(ctx context.Context, t *target) (finding, error) {
	_, _, err := t.atTerminal(ctx, "modes")
	switch {
	case errors.Is(err, errModes):
		return open("the caller's terminal was left in other modes")
	case err != nil:
		return finding{}, err
	}
	return stopped("the launcher put the modes of the caller's terminal back")
}

// errModes is the error of a run that left another terminal behind.
var errModes = errors.New("the terminal has other modes than before")

// escapes writes into the clipboard and the title of the caller's terminal.
func escapes(ctx context.Context, t *target) (finding, error) {
	text := newControl()
	seen, _, err := t.atTerminal(ctx, "escapes", text)
	switch {
	case err != nil:
		return finding{}, err
	case bytes.Contains(seen, []byte("\x1b]52;c;"+text)) || bytes.Contains(seen, []byte("\x1b]0;"+text)):
		return open("the sequences for clipboard and title came through to the terminal")
	}
	return stopped("the sequences did not come through")
}

// cursor has the terminal put the canary together.
func cursor(ctx context.Context, t *target) (finding, error) {
	seen, _, err := t.atTerminal(ctx, "cursor", newControl())
	switch {
	case err != nil:
		return finding{}, err
	case !holds(placed(string(seen), 2), controlPrefix):
		return untried("the screen does not show what was placed on it")
	case holdsCanary(placed(string(seen), 1)):
		return open("the canary stood on the screen, placed character by character")
	}
	return stopped("the canary did not stand on the screen")
}
