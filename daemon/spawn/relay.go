package spawn

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/mask"
)

// read passes on what is typed, as long as there is somebody who could.
func (c *console) read() {
	defer close(c.typed)
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(c.relay, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 || err != nil || !c.enter(buf[:n]) {
			return
		}
	}
}

// enter writes what was typed. The program may take its time to read it.
func (c *console) enter(p []byte) bool {
	for len(p) > 0 {
		n, err := unix.Write(c.master, p)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			fds := []unix.PollFd{{Fd: int32(c.master), Events: unix.POLLOUT}, {Fd: int32(c.relay)}}
			if unix.Poll(fds, -1); fds[1].Revents != 0 {
				return false
			}
		case err != nil:
			return false
		default:
			p = p[n:]
		}
	}
	return true
}

// glance is how long a person may have to wait for a few bytes of what may be a
// value's beginning.
const glance = 50 // milliseconds

// show passes masked on what the program prints, until over is closed. When
// nobody is there any more who could see it, the terminal hangs up.
func (c *console) show(needles func() (*mask.Set, error), over int) error {
	defer func() {
		unix.Shutdown(c.relay, unix.SHUT_RDWR)
		<-c.typed
		unix.Close(c.relay)
		unix.Close(c.master)
		unix.Close(c.stops[0])
	}()
	set, err := needles()
	if err != nil {
		return unix.ENOMEM // nothing is shown unmasked
	}
	w, s := set.Writer(stream{to: c.relay}), screen{}
	buf := make([]byte, 32<<10)
	for wait := forever; ; {
		switch what, err := c.await(over, wait); what {
		case hasPrinted:
			n, err := unix.Read(c.master, buf)
			if n <= 0 || err != nil {
				return errors.Join(err, w.Flush())
			}
			if err := s.write(w, buf[:n]); err != nil {
				return err
			}
			wait = glance
		case hasStopped:
			w.Release()
			if n, _ := unix.Read(c.stops[0], buf[:1]); n == 1 {
				c.report(buf[0])
			}
		case isQuiet:
			wait = forever
			if err := w.Release(); err != nil {
				return err
			}
		case hasEnded:
			return w.Flush()
		case isGone:
			return err
		}
	}
}

// write masks p, with as many characters as there were where the program says
// where they stand.
func (s *screen) write(w *mask.Writer, p []byte) error {
	for len(p) > 0 {
		n := s.next(p)
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		w.SameWidth = s.full
		p = p[n:]
	}
	return nil
}

const forever = -1

// What a console waits for.
const (
	hasPrinted = iota // first, whatever else there is
	hasStopped
	hasEnded
	isGone
	isQuiet
)

func (c *console) await(over, wait int) (what int, err error) {
	fds := []unix.PollFd{
		hasPrinted: {Fd: int32(c.master), Events: unix.POLLIN}, hasStopped: {Fd: int32(c.stops[0]), Events: unix.POLLIN},
		hasEnded: {Fd: int32(over), Events: unix.POLLIN}, isGone: {Fd: int32(c.relay)},
	}
	for {
		_, err := unix.Poll(fds, wait)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return isGone, err
		}
		for what := range fds {
			if fds[what].Revents != 0 {
				return what, nil
			}
		}
		if err == nil {
			return isQuiet, nil
		}
	}
}
