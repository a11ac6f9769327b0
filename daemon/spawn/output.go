package spawn

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/mask"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// What a program prints to pipes and files passes through its monitor, which
// masks its secrets, as what it prints to its [Terminal] does:
//
//	program ──pipe──► monitor ──masked──► the caller's pipe or file
//
// The monitor gets the descriptors and the secrets from the daemon, over a
// socket of its own:
//
//	length of the rest   4
//	terminal             1   0 none, 1 for the background, 2 for the foreground
//	secrets              list of: name text, value text
//	exposed files        list of: path text, value text
//
// The first bytes carry three descriptors for a terminal: the pty's master, the
// relay, the caller's; one of the program's directory for exposed files; then two for each stream: where to read, and where to
// write. The monitor closes the socket when the program may start, and writes an
// errno into it before if there can be no terminal, or an errno and the number of a file, counted from 1, if that
// cannot be made. If there is neither of these nor
// something to mask the daemon just closes the socket.

const (
	noTerminal = iota
	inBackground
	inForeground
)

// A diversion is what a program has in place of its streams.
type diversion struct {
	streams  [3]*os.File // the program's
	terminal *Terminal
	tty      tty
	dir      *os.File   // the program's, if files are to be exposed
	further  []int      // the program's, for each of the spec's
	pumps    []int      // for each of those that are masked: where to read, and where to write
	ends     []*os.File // of pipes; the daemon's to close
}

func (d *diversion) close() {
	for _, f := range d.ends {
		f.Close()
	}
}

// divert puts the session's terminal in place of the caller's, and pipes in place
// of the other streams whose output is to be masked.
func divert(s Spec, t tty) (d diversion, err error) {
	d.streams, d.terminal, d.tty = s.Streams, s.Terminal, t
	if len(s.Exposed) > 0 {
		d.dir = s.Dir
	}
	if s.Terminal == nil {
		t.close() // it hangs up before there is a program
	} else {
		if err := t.become(s.Terminal); err != nil {
			return d, err
		}
		for i, f := range s.Streams {
			d.streams[i] = t.replace(f)
		}
	}
	if s.masked() {
		err = d.divertStreams(s)
	}
	for n := 0; err == nil && n < len(s.Further); n++ {
		var fd int
		fd, err = d.divertFurther(s, n)
		d.further = append(d.further, fd)
	}
	if err != nil {
		d.close()
	}
	return d, err
}

// masked reports whether there is something to mask.
func (s Spec) masked() bool {
	return slices.ContainsFunc(s.Needles, func(v Secret) bool { return !mask.Short(v.Value) })
}

func (d *diversion) divertStreams(s Spec) error {
	for i, f := range s.Streams[1:] {
		switch {
		case f == nil || d.streams[1+i] != f || isNull(int(f.Fd())):
		case i == 1 && s.Streams[1] != nil && sameFile(int(f.Fd()), int(s.Streams[1].Fd())):
			// One pipe for both, or the order of what they print would be lost.
			d.streams[2] = d.streams[1]
		default:
			w, err := d.pipe(int(f.Fd()))
			if err != nil {
				return err
			}
			d.streams[1+i] = w
		}
	}
	return nil
}

// pipe returns what a program writes to, so that it is masked on its way to a descriptor.
func (d *diversion) pipe(to int) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	d.ends = append(d.ends, r, w)
	widen(int(w.Fd()))
	widen(to) // if it is a pipe
	// A program of another user may open it again, as /dev/stdout. Whoever
	// has no descriptor cannot name it.
	w.Chmod(0o666)
	d.pumps = append(d.pumps, int(r.Fd()), to)
	return w, nil
}

// isNull reports whether nobody will see what is written.
func isNull(fd int) bool {
	var null, is unix.Stat_t
	return unix.Stat(os.DevNull, &null) == nil && unix.Fstat(fd, &is) == nil && null.Dev == is.Dev && null.Ino == is.Ino
}

func sameFile(a, b int) bool {
	var one, other unix.Stat_t
	return unix.Fstat(a, &one) == nil && unix.Fstat(b, &other) == nil && one.Dev == other.Dev && one.Ino == other.Ino
}

// send tells a monitor what to mask and to expose, and waits until it leads the
// terminal and has made the files.
func (d *diversion) send(to *net.UnixConn, s Spec) error {
	defer to.Close()
	if d.terminal == nil && d.dir == nil && len(d.pumps) == 0 {
		return nil
	}
	form := d.encode(s)
	defer clear(form)
	to.SetDeadline(time.Now().Add(startTimeout))
	n, _, err := to.WriteMsgUnix(form, unix.UnixRights(d.files()...), nil)
	if err == nil && n < len(form) {
		_, err = to.Write(form[n:])
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	if d.terminal == nil && d.dir == nil {
		return nil
	}
	answer, err := io.ReadAll(io.LimitReader(to, 2))
	switch {
	case err != nil:
		return fmt.Errorf("waiting for the monitor: %w", err)
	case len(answer) == 2 && int(answer[1])-1 < len(s.Exposed):
		return notExposed(s.Exposed[max(0, int(answer[1])-1)].Path, syscall.Errno(answer[0]))
	case len(answer) > 0:
		return fmt.Errorf("giving the program a terminal: %w", syscall.Errno(answer[0]))
	}
	return nil
}

// files returns what travels with the first bytes.
func (d *diversion) files() (fds []int) {
	var files []*os.File
	if d.dir != nil {
		files = append([]*os.File{d.dir}, files...)
	}
	if t := d.terminal; t != nil {
		files = append([]*os.File{d.tty.master, t.Relay, t.Caller}, files...)
	}
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	return append(fds, d.pumps...)
}

func (d *diversion) encode(s Spec) []byte {
	var exposed []Secret
	for _, e := range s.Exposed {
		exposed = append(exposed, Secret{e.Path, e.Text})
	}
	n := 1 + secretsSize(s.Needles) + secretsSize(exposed)
	b := make([]byte, 0, 4+n) // exactly: growing would leave copies
	b = append(binary.BigEndian.AppendUint32(b, uint32(n)), d.kind())
	return appendSecrets(appendSecrets(b, s.Needles), exposed)
}

func (d *diversion) kind() byte {
	switch {
	case d.terminal == nil:
		return noTerminal
	case d.terminal.Foreground:
		return inForeground
	}
	return inBackground
}

func secretsSize(secrets []Secret) int {
	n := 4
	for _, v := range secrets {
		n += 4 + len(v.Name) + 4 + v.Value.Len()
	}
	return n
}

func appendSecrets(b []byte, secrets []Secret) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(secrets)))
	for _, v := range secrets {
		b = appendText(b, v.Name)
		b = appendText(b, v.Value.Reveal())
	}
	return b
}

func (d *decoder) secrets() (list []Secret) {
	for range d.count(8) {
		list = append(list, Secret{Name: string(d.text()), Value: opaque.New(d.text())})
	}
	return list
}
