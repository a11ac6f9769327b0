package spawn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// A Run is a program that was started.
type Run struct {
	monitor process
	control *net.UnixConn
	spec    *net.UnixConn // until the program is started, and whoever starts it closes it
	output  *net.UnixConn // so, too
	tty     tty           // so, too
	note    func(bare)    // hears what monitor and child lack
	stopped chan syscall.Signal
	empty   chan struct{}
	done    chan struct{}
	gone    chan struct{}
	killing sync.Once

	// Set before done is closed.
	exit Exit
	err  error
}

// ErrLost is returned for a program whose monitor was killed. The program was
// killed with it, and on Linux what else was in its session; how it would have
// ended is not known.
var ErrLost = errors.New("the program's monitor was killed")

// follow reads what the monitor reports, and collects it when it ends.
func (r *Run) follow() {
	r.exit, r.err = r.ended()
	if errors.Is(r.err, ErrLost) {
		late := time.AfterFunc(silence, r.monitor.giveUp)
		if err := r.monitor.sweep(); err != nil {
			r.err = err
		}
		late.Stop()
	}
	close(r.done)
	r.monitor.wait()
	close(r.gone)
	r.control.Close()
}

// ended returns the last report.
func (r *Run) ended() (Exit, error) {
	report := make([]byte, 2)
	var lost error
	var once sync.Once // a program that has got hold of its monitor says what it likes
	for {
		if _, err := io.ReadFull(r.control, report); err != nil {
			return Exit{}, ErrLost
		}
		switch what, n := report[0], report[1]; what {
		case reportStopped:
			select {
			case r.stopped <- syscall.Signal(n):
			default: // nobody has heard of the last one yet
			}
		case reportEmpty:
			once.Do(func() { close(r.empty) })
		case reportExited:
			return Exit{Code: int(n)}, lost
		case reportKilled:
			return Exit{Signal: syscall.Signal(n)}, lost
		case reportBare:
			r.note(bare(n))
		case reportLost:
			lost = fmt.Errorf("passing on what the program printed: %w", syscall.Errno(n))
		case reportFailed:
			return Exit{}, fmt.Errorf("the monitor cannot start a process: %w", syscall.Errno(n))
		}
	}
}

// Foreground is added to SIGCONT or SIGWINCH to have a program with a terminal in
// its foreground. Without it, it is in the background afterwards, and is stopped
// if it wants to read.
const Foreground syscall.Signal = 0x80

// Signal sends a signal to the program: SIGINT, SIGQUIT, SIGHUP, SIGTSTP,
// SIGCONT and SIGWINCH to its process group, others to it alone. Of a program
// that has ended there is nothing to signal, which is no error.
func (r *Run) Signal(s syscall.Signal) error {
	if plain := s &^ Foreground; plain < 1 || plain > ipc.MaxSignal {
		return fmt.Errorf("no signal has the number %d", s)
	}
	r.control.SetWriteDeadline(time.Now().Add(startTimeout))
	_, err := r.control.Write([]byte{byte(s)})
	r.wake()
	if errors.Is(err, unix.EPIPE) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Stopped delivers the signals that stop the program.
func (r *Run) Stopped() <-chan syscall.Signal { return r.stopped }

// wake lets a monitor go on that its program has stopped.
func (r *Run) wake() { r.monitor.wake() }

// endTimeout is how long a monitor may take to end, with passing on what was printed, after
// all was to be killed.
const endTimeout = 5 * time.Second

// silence is how long a spawner may be silent after all was to be killed. It is more
// than systemd waits before it kills one that does not go on: see [pulse].
const silence = 20 * time.Second

// Kill kills the program and everything below it. Done tells when that has
// happened.
func (r *Run) Kill() {
	r.killing.Do(func() {
		r.control.CloseWrite()
		r.wake()
		hindered, late := time.AfterFunc(killTimeout, r.monitor.kill), time.AfterFunc(endTimeout, r.monitor.kill)
		silent := time.AfterFunc(silence, r.giveUp)
		go func() {
			select {
			case <-r.empty:
			case <-r.done:
			}
			hindered.Stop()
			<-r.done
			late.Stop()
			silent.Stop()
		}()
	})
}

// giveUp has Done closed though nobody says that the program has ended.
func (r *Run) giveUp() {
	r.monitor.giveUp()
	r.control.SetReadDeadline(time.Unix(1, 0))
}

// Done is closed when the program has ended and nothing of it is left, or when Exit
// tells that this is not known.
func (r *Run) Done() <-chan struct{} { return r.done }

// Gone is closed when nothing of the program is left, which takes as long as it takes.
func (r *Run) Gone() <-chan struct{} { return r.gone }

// Exit returns how the program ended, and an error if what it printed could not
// all be written; or [ErrLost], or a [SilentError]. It may be called once Done
// is closed.
func (r *Run) Exit() (Exit, error) { return r.exit, r.err }
