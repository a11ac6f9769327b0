package spawn

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/mask"
)

// Pumps are what passes the output of a monitor's program on.
type pumps struct {
	consoles chan *console // delivers the terminal, if there is one
	end      *os.File      // readable when nothing writes any more
	over     *os.File      // its other end
	done     chan struct{} // closed when everything is passed on
	mu       sync.Mutex    // guards what follows
	failed   syscall.Errno // why something could not be written
	exposed  exposures
}

// newPumps waits for the daemon to say what there is to mask.
func newPumps() (*pumps, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &pumps{consoles: make(chan *console, 1), end: r, over: w, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.run()
	}()
	return p, nil
}

func (p *pumps) run() {
	o, err := receiveOutput()
	var which int // of the files, if one was to blame
	if err == nil {
		which, err = p.expose(o)
	}
	if err == nil && o.console != nil {
		p.consoles <- o.console
		err = <-o.console.adopted
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		answer := []byte{byte(errno)}
		if which > 0 {
			answer = append(answer, byte(which))
		}
		unix.Write(outputFD, answer)
	}
	unix.Close(outputFD)
	if err != nil {
		return // the daemon went away, or has heard of it
	}
	set := sync.OnceValues(func() (*mask.Set, error) { return newSet(o.secrets) })
	var wg sync.WaitGroup
	if c := o.console; c != nil {
		go c.read()
		wg.Go(func() { p.fail(c.show(set, int(p.end.Fd()))) })
	}
	for i := 0; i+1 < len(o.files); i += 2 {
		wg.Go(func() {
			s := stream{from: o.files[i], to: o.files[i+1], over: int(p.end.Fd())}
			p.fail(s.pump(set))
		})
	}
	wg.Wait()
	for _, v := range o.secrets {
		v.Value.Wipe()
	}
}

// expose makes the files that are on a disk, and returns which one it could not make.
func (p *pumps) expose(o output) (which int, err error) {
	if o.dir >= 0 {
		defer unix.Close(o.dir)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range o.exposed {
		err := p.exposed.add(o.dir, f.Name, f.Value.Reveal())
		f.Value.Wipe()
		if err != nil {
			p.exposed.remove()
			return i + 1, err
		}
	}
	return 0, nil
}

// unexpose removes them.
func (p *pumps) unexpose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exposed.remove()
}

// An output is what a monitor has to pass on.
type output struct {
	secrets []Secret
	exposed []Secret // by their paths
	dir     int      // from which these are; -1 if there is none
	console *console // nil if the program has no terminal
	files   []int    // where to read, and where to write, of each stream
}

// receiveOutput reads what [diversion.send] wrote.
func receiveOutput() (o output, err error) {
	head := make([]byte, 4)
	if o.files, err = receiveFDs(outputFD, head); err != nil {
		return output{}, err
	}
	body, err := receiveBody(outputFD, head)
	if err != nil {
		return output{}, err
	}
	d := decoder{rest: body}
	kind := d.byte()
	o.secrets, o.exposed, o.dir = d.secrets(), d.secrets(), -1
	files := 0 // that come before those of the streams
	if kind != noTerminal {
		files += consoleFiles
	}
	if len(o.exposed) > 0 {
		files++
	}
	d.check(len(d.rest) == 0 && len(o.files) >= files)
	if d.bad {
		return output{}, errForm
	}
	rest := o.files[files:]
	if len(o.exposed) > 0 {
		o.dir = o.files[files-1]
	}
	if kind != noTerminal {
		o.console, err = newConsole(o.files[:consoleFiles], kind == inForeground)
	}
	o.files = rest
	return o, err
}

func newSet(secrets []Secret) (*mask.Set, error) {
	var values []mask.Value
	for _, v := range secrets {
		values = append(values, mask.Value(v))
	}
	return mask.NewSet(values)
}

func (p *pumps) fail(err error) {
	errno, ok := errors.AsType[syscall.Errno](err)
	// That nobody reads any more is the program's affair, and it hears of it.
	if !ok || errno == unix.EPIPE {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = errno
}

// patience is how long a monitor that is to end waits for whoever reads.
const patience = time.Second

// finish returns when everything the program printed is passed on, or when nobody
// waits for it any more: the daemon has gone, or sends a signal that would have
// ended the program. It returns why something could not be written, or 0.
func (p *pumps) finish(commands <-chan syscall.Signal, abandoned bool) syscall.Errno {
	p.over.Close()
	var late <-chan time.Time
	if abandoned {
		late = time.After(patience)
		unix.Shutdown(outputFD, unix.SHUT_RD) // a monitor without a program waits for no more
	}
	for {
		select {
		case <-p.done:
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.failed
		case c := <-p.consoles:
			c.adopted <- unix.ESRCH // there is no program any more
		case s, ok := <-commands:
			if !ok {
				commands, late = nil, time.After(patience)
			} else if deadly(s) {
				return 0
			}
		case <-late:
			return 0
		}
	}
}

func deadly(s syscall.Signal) bool {
	return s == unix.SIGINT || s == unix.SIGQUIT || s == unix.SIGTERM || s == unix.SIGHUP
}

// A stream is a pipe from the program and where it leads to.
type stream struct {
	from, to, over int
}

const pumpSize = 256 << 10

// pump passes masked on what comes, until nothing can come any more. When nobody
// reads it, the program is to hear of it at its next write, as it would without
// a pump. The set is not made before there is anything to look at.
func (s stream) pump(needles func() (*mask.Set, error)) error {
	defer unix.Close(s.to)
	defer unix.Close(s.from)
	if err := unix.SetNonblock(s.from, true); err != nil {
		return err
	}
	var w *mask.Writer
	buf := make([]byte, pumpSize)
	for {
		n, err := s.next(buf)
		switch {
		case w == nil && n == 0:
			return err
		case n == 0:
			return errors.Join(err, w.Flush())
		case w == nil:
			set, err := needles()
			if err != nil {
				return unix.ENOMEM // the program's writes fail, and nothing comes out unmasked
			}
			w = set.Writer(s)
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// next reads what comes next, which is nothing at the end.
func (s stream) next(buf []byte) (int, error) {
	for {
		n, err := unix.Read(s.from, buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if more, err := s.wait(); err != nil || !more {
				return 0, err
			}
		default:
			return max(0, n), err
		}
	}
}

// wait returns whether there is something to read, which may be the end.
func (s stream) wait() (more bool, err error) {
	fds := []unix.PollFd{{Fd: int32(s.from), Events: unix.POLLIN}, {Fd: int32(s.over), Events: unix.POLLIN}, {Fd: int32(s.to)}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return false, err
		case fds[0].Revents != 0:
			return true, nil
		case fds[1].Revents != 0:
			return false, nil
		case fds[2].Revents != 0:
			return false, unix.EPIPE
		}
	}
}

// Write writes to the caller's file, which may be one that does not wait.
func (s stream) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n, err := unix.Write(s.to, rest)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			unix.Poll([]unix.PollFd{{Fd: int32(s.to), Events: unix.POLLOUT}}, -1)
		case err != nil:
			return 0, err
		default:
			rest = rest[n:]
		}
	}
	return len(b), nil
}
