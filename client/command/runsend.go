package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/vault/harden"
)

// The times that the daemon may take.
const (
	sendTimeout = 10 * time.Second // to read the request
	ackTimeout  = 3 * time.Second  // to do something about a signal
)

// send runs the command and returns its exit status. Errors are an [ExitError]
// for a command that could not be started, a [waitingError], or others.
//
// The command has a process group of its own, so signals come to this process and
// are forwarded: their end of ctx is not the end of the run. An end before there
// is anything to forward to is. So is one that a daemon that hangs does nothing
// about: nobody else would end this process.
//
// A daemon that has no place for it is asked again, for a while.
func (r *runRequest) send(ctx context.Context) (status int, err error) {
	signals := forwardable()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	defer r.terminal.release()
	r.request.Acks, r.request.Queue = true, true
	late := time.Now().Add(placeTimeout)
	for pause := shortPause; ; pause = min(2*pause, longPause) {
		status, err = r.attempt(signals)
		if !again(err) || r.kept || time.Now().After(late) {
			return status, err
		}
		if by := paused(signals, pause/2+rand.N(pause)); by != 0 {
			return harden.Ended{Signal: by}.Status(), nil
		}
	}
}

// attempt is one try to send the command.
func (r *runRequest) attempt(signals chan os.Signal) (status int, err error) {
	conn, err := r.connect()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	lines := make(chan ipc.Response)
	var readErr error
	go func() {
		defer close(lines)
		readErr = responses(conn, lines)
	}()
	sendErr := r.write(conn)
	catch(signals, realTime()...)
	said := false     // the daemon has got or sent more than the request
	var end os.Signal // forwarded, and nothing heard since
	var deaf <-chan time.Time
	for {
		select {
		case s := <-signals:
			said = true
			r.pass(conn, s.(syscall.Signal))
			if deaf == nil && slices.Contains(ends, s) {
				end, deaf = s, time.After(ackTimeout)
			}
		case <-deaf:
			return 0, unheard(end.(syscall.Signal))
		case answer, ok := <-lines:
			deaf = nil
			if !ok && !said && unread(sendErr, readErr) {
				return 0, errUnread
			}
			said = true
			switch {
			case !ok:
				r.keep()
				r.terminal.end(signals, time.After(ackTimeout))
				return 0, lost(errors.Join(sendErr, readErr))
			case answer.ErrorCode == ipc.Busy && !r.kept:
				return r.finish(answer)
			case answer.Last():
				r.keep()
				r.terminal.end(signals, nil)
				return r.finish(answer)
			case answer.Placed:
				r.keep()
			case answer.Terminal:
				r.keep()
				r.resume(conn)
			case answer.Stopped != 0:
				r.halted(conn, signals, syscall.Signal(answer.Stopped))
			case answer.Ack != 0: // the command may have its own mind about it
			default:
				r.news(answer)
			}
		}
	}
}

// ends are the signals by which people and supervisors want this process to end.
var ends = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}

// unheard is the end by a signal that the daemon does nothing about.
func unheard(s syscall.Signal) error {
	return &ExitError{
		Code: harden.Ended{Signal: s}.Status(),
		Err:  errors.New("the daemon does not answer: ended without it; the command, if it runs, ends when the daemon goes on or ends"),
		Hint: "see whether it runs: cortex daemon status",
	}
}

// forwardable delivers the signals that are the command's and not this process's,
// but for those that whoever started this process had it ignore, as nohup does, and
// those of [realTime]. It is for the rest of the process, which has nothing to do but to end with the
// command.
func forwardable() chan os.Signal {
	ch := make(chan os.Signal, 64)
	for s := syscall.Signal(1); s < firstRealTime; s++ {
		catch(ch, s)
	}
	return ch
}

// firstRealTime is the first signal that means what programs want it to mean.
const firstRealTime = 32

// realTime returns those signals. To ask for each takes its time, so it is done
// while the daemon gets the command ready, which nobody can have anything to tell
// before.
func realTime() (signals []syscall.Signal) {
	for s := syscall.Signal(firstRealTime); s <= ipc.MaxSignal; s++ {
		signals = append(signals, s)
	}
	return signals
}

// catch delivers those of the signals that are forwardable.
func catch(ch chan<- os.Signal, signals ...syscall.Signal) {
	for _, s := range signals {
		if ipc.Forwarded(s) && !signal.Ignored(s) {
			signal.Notify(ch, s)
		}
	}
}

// connect reaches the daemon and makes sure that it is ours: somebody else's
// would get this environment, and run the command as itself.
func (r *runRequest) connect() (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.sock, Net: "unix"})
	if err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
			return nil, client.WithHint(fmt.Errorf("the daemon is not running: nobody serves %s", r.sock), startHint(r.sock))
		}
		if r.sock == systemSock && errors.Is(err, unix.EACCES) {
			return nil, client.WithHint(fmt.Errorf("reaching the daemon: %w", err), "have root make you a member of its group, and log in again: ls -l "+systemSock)
		}
		return nil, client.WithHint(fmt.Errorf("reaching the daemon: %w", err), "see whether it runs: cortex daemon status")
	}
	foreign, err := trusted(conn, r.sock)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("refusing the daemon at %s: %w", r.sock, err)
	}
	if foreign {
		share(r.descriptors())
	}
	return conn, nil
}

// trusted tells whether a daemon is this user's, or the one that an administrator
// has installed: root alone decides who can serve that socket. That one is foreign, and so
// are the users as whom it runs commands.
func trusted(conn *net.UnixConn, sock string) (foreign bool, err error) {
	p, err := peer.Of(conn)
	if err != nil {
		return false, err
	}
	defer p.Close()
	var dir unix.Stat_t
	installed := sock == systemSock && unix.Lstat(filepath.Dir(sock), &dir) == nil && int(dir.Uid) == p.UID
	if p.UID != os.Geteuid() && !installed {
		return false, fmt.Errorf("%w: uid %d", peer.ErrForeign, p.UID)
	}
	return p.UID != os.Geteuid(), nil
}

// startHint returns what starts a daemon on a socket.
func startHint(sock string) string {
	if sock == systemSock {
		return "have root start it: " + startCommand(sock)
	}
	return "start it: " + startCommand(sock)
}

// startCommand is what to type for a daemon on a socket.
func startCommand(sock string) string {
	switch sock {
	case systemSock:
		return "systemctl restart cortex-daemon"
	case socketPath():
		return "cortex daemon"
	}
	return "cortex daemon --sock " + shellQuote(sock)
}

// write sends the request. The descriptors go with its first bytes.
func (r *runRequest) write(conn *net.UnixConn) error {
	line, err := ipc.Line(r.request)
	if err != nil {
		// Nothing was sent: the daemon need not wait.
		conn.Close()
		return err
	}
	conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	n, _, err := conn.WriteMsgUnix(line, unix.UnixRights(r.descriptors()...), nil)
	if err == nil && n < len(line) {
		_, err = conn.Write(line[n:])
	}
	return err
}

// responses reads the daemon's lines until the last one. There can be any number of
// them before it, as a run can be long.
func responses(conn io.Reader, lines chan<- ipc.Response) error {
	limit := &io.LimitedReader{R: conn}
	in := bufio.NewReader(limit)
	for {
		limit.N = ipc.MaxLine
		line, err := in.ReadBytes('\n')
		if err != nil {
			return err
		}
		var answer ipc.Response
		if err := json.Unmarshal(line, &answer); err != nil {
			return errors.New("its answer makes no sense")
		}
		lines <- answer
		if answer.Last() {
			return nil
		}
	}
}

// pass passes a signal on. When this process goes on that was stopped and not the
// command, the command hears where it is now.
func (r *runRequest) pass(conn *net.UnixConn, s syscall.Signal) {
	switch {
	case s == unix.SIGCONT && r.terminal.started():
		forward(conn, ipc.Signal{Signal: unix.SIGWINCH, Foreground: r.terminal.resume()})
	case s == unix.SIGWINCH && r.terminal.started():
		forward(conn, ipc.Signal{Signal: s, Foreground: r.terminal.taken()})
	default:
		forward(conn, ipc.Signal{Signal: s})
	}
}

// resume has the command start, or go on, in the foreground if it is to be there.
func (r *runRequest) resume(conn *net.UnixConn) {
	foreground := r.terminal.resume()
	// The window may have another size than before.
	forward(conn, ipc.Signal{Signal: unix.SIGWINCH, Foreground: foreground})
	forward(conn, ipc.Signal{Signal: unix.SIGCONT, Foreground: foreground})
}

// halted stops this process as the command was stopped, so that a shell sees a
// stopped job, unless the command only wants the terminal and can have it.
func (r *runRequest) halted(conn *net.UnixConn, signals chan os.Signal, by syscall.Signal) {
	if r.terminal == nil {
		unix.Kill(os.Getpid(), unix.SIGSTOP) // SIGCONT is forwarded
		return
	}
	if !r.terminal.grants(by) {
		r.terminal.halt(by, signals)
	}
	r.resume(conn)
}

func forward(conn *net.UnixConn, s ipc.Signal) {
	line, err := ipc.Line(s)
	if err != nil {
		return
	}
	conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	conn.Write(line) // if the daemon is gone, reading tells
}

// lost says that there will be no answer.
func lost(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		err = errors.New("the daemon has ended, and with it the command")
	} else {
		err = fmt.Errorf("talking to the daemon: %w", err)
	}
	return client.WithHint(err, "see whether it runs: cortex daemon status")
}

// finish turns the last line into a status or an error.
func (r *runRequest) finish(answer ipc.Response) (int, error) {
	switch {
	case answer.OK && answer.ExitCode != nil:
		r.key = r.terminal.endedBy(syscall.Signal(answer.KilledBy))
		return *answer.ExitCode, nil
	case answer.ErrorCode == ipc.PendingApproval, answer.ErrorCode == ipc.NotPinned:
		return 0, r.waiting(answer)
	case answer.OK || answer.Error == "":
		return 0, lost(errors.New("its answer makes no sense"))
	case answer.ExitCode != nil:
		return 0, &ExitError{Code: *answer.ExitCode, Err: refused(answer), Hint: answer.Hint}
	}
	err := refused(answer)
	if answer.Hint != "" {
		return 0, client.WithHint(err, answer.Hint)
	}
	return 0, err
}
