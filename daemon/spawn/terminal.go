package spawn

import (
	"fmt"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A Terminal is for a program whose caller has one. The program does not get the
// caller's but a pty, in place of those of its streams that are terminals and as
// its controlling terminal. Its monitor leads the session and sits at the pty's
// other end:
//
//	program ◄─pty─► monitor ◄─relay─► launcher ◄─► the caller's terminal
//
// So what is printed can be masked; and the launcher, which is the caller's
// shell's, reads from the terminal when it may and is stopped when it may not.
type Terminal struct {
	Caller *os.File // the caller's, for its modes and its size
	Relay  *os.File // a stream socket: typed from there, shown there
	// Plain leaves the program's in the modes that terminals begin with, as the
	// caller's is in those of somebody else.
	Plain bool
	// Foreground lets the program read at once. Otherwise it is stopped when it
	// wants to, which the caller hears of, and may have it continue.
	Foreground bool

	modes *term.State // nil for those that terminals begin with
}

// Prepare notes the modes that the caller's terminal is in: after it they may be
// changed.
func (t *Terminal) Prepare() (err error) {
	if !t.Plain {
		if t.modes, err = term.GetState(int(t.Caller.Fd())); err != nil {
			return fmt.Errorf("looking at the caller's terminal: %w", err)
		}
	}
	return nil
}

// A tty is a pty, whose slave is the controlling terminal of a monitor's session
// from the beginning: processes have what was there when they were forked. Where
// the caller has no terminal it hangs up, and then they have none either.
type tty struct {
	master, slave *os.File
	err           error // why there is none
}

func openTTY() (t tty) {
	t.master, t.slave, t.err = pty.Open()
	return t
}

// rights is what passes both ends on, if there are any.
func (t tty) rights() []byte {
	if t.err != nil {
		return nil
	}
	return unix.UnixRights(int(t.master.Fd()), int(t.slave.Fd()))
}

func (t tty) close() {
	t.master.Close()
	t.slave.Close()
}

// become makes a pty like the caller's terminal.
func (t tty) become(like *Terminal) error {
	err := t.err
	if err == nil {
		err = resize(int(t.master.Fd()), int(like.Caller.Fd()))
	}
	if err == nil && like.modes != nil {
		err = term.Restore(int(t.slave.Fd()), like.modes)
	}
	if err != nil {
		return fmt.Errorf("making a terminal like the caller's: %w", err)
	}
	return nil
}

// replace returns the program's in place of a stream that is a terminal.
func (t tty) replace(stream *os.File) *os.File {
	if stream == nil || !term.IsTerminal(int(stream.Fd())) {
		return stream
	}
	return t.slave
}

// resize makes a terminal as large as another one. Who uses it is sent SIGWINCH
// if it was not.
func resize(fd, like int) error {
	size, err := unix.IoctlGetWinsize(like, unix.TIOCGWINSZ)
	if err != nil {
		return err
	}
	return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size)
}
