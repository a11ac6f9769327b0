package spawn

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/mask"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// What a program prints to pipes and files passes through its monitor, which
// masks its secrets:
//
//	program ──pipe──► monitor ──masked──► the caller's pipe or file
//
// The monitor gets the descriptors and the secrets from the daemon, over a
// socket of its own:
//
//	length of the rest   4
//	secrets              list of: name text, value text
//
// The first bytes carry two descriptors for each stream: where to read, and
// where to write. If there is nothing to mask the daemon just closes the socket.

// A diversion is what a program has in place of its streams.
type diversion struct {
	streams [3]*os.File // the program's
	pumps   []*os.File  // for each of them that is masked: where to read, and where to write
	ends    []*os.File  // of pipes; the daemon's to close
}

func (d *diversion) close() {
	for _, f := range d.ends {
		f.Close()
	}
}

// divert puts pipes in place of the streams whose output is to be masked. What a
// terminal shows is not.
func divert(s Spec) (d diversion, err error) {
	d.streams = s.Streams
	if !slices.ContainsFunc(s.Needles, func(v Secret) bool { return !mask.Short(v.Value) }) {
		return d, nil
	}
	for i, f := range s.Streams[1:] {
		switch {
		case f == nil || isTerminal(f) || isNull(f):
		case i == 1 && sameFile(f, s.Streams[1]):
			// One pipe for both, or the order of what they print would be lost.
			d.streams[2] = d.streams[1]
		default:
			r, w, err := os.Pipe()
			if err != nil {
				d.close()
				return d, fmt.Errorf("making a pipe: %w", err)
			}
			widen(w)
			d.streams[1+i] = w
			d.pumps = append(d.pumps, r, f)
			d.ends = append(d.ends, r, w)
		}
	}
	return d, nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// isNull reports whether nobody will see what is written.
func isNull(f *os.File) bool {
	null, err := os.Stat(os.DevNull)
	if err != nil {
		return false
	}
	info, err := f.Stat()
	return err == nil && os.SameFile(info, null)
}

func sameFile(a, b *os.File) bool {
	if a == nil || b == nil {
		return false
	}
	one, errOne := a.Stat()
	other, errOther := b.Stat()
	return errOne == nil && errOther == nil && os.SameFile(one, other)
}

// send tells a monitor what to mask.
func (d *diversion) send(to *net.UnixConn, secrets []Secret) error {
	defer to.Close()
	if len(d.pumps) == 0 {
		return nil
	}
	form := encodeSecrets(secrets)
	defer clear(form)
	var fds []int
	for _, f := range d.pumps {
		fds = append(fds, int(f.Fd()))
	}
	to.SetDeadline(time.Now().Add(startTimeout))
	n, _, err := to.WriteMsgUnix(form, unix.UnixRights(fds...), nil)
	if err == nil && n < len(form) {
		_, err = to.Write(form[n:])
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return nil
}

func encodeSecrets(secrets []Secret) []byte {
	n := secretsSize(secrets)
	b := make([]byte, 0, 4+n) // exactly: growing would leave copies
	return appendSecrets(binary.BigEndian.AppendUint32(b, uint32(n)), secrets)
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
