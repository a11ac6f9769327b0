package spawn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/vault/harden"
)

// Spawner is the main function of a process called [SpawnerName], which starts the
// monitor of one run for the daemon of another user, so that programs are neither
// that user's nor the caller's. It is what it starts, and has no privilege: no bug
// in it can make a program anybody else.
//
// Its first argument is the daemon's user, from whom alone it takes an order, at a
// socket that systemd has made. A second one is its own home directory: that, and
// the processes that it has, is then for this run alone, and what is left of
// another one goes before. With [clearUp] as the first that is all it does. It
// returns the exit status.
func Spawner() int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := harden.Refuse(os.Environ()); err != nil {
		log.Error("cannot serve a daemon", "err", err)
		return 1
	}
	harden.Process(harden.Options{}).Warn(log) // and no more: there is one for each program
	ctx, stop := harden.UntilSignal(context.Background())
	defer stop()
	args := os.Args[1:]
	if len(args) == 2 && args[0] == clearUp {
		if err := clearHome(args[1]); err != nil {
			log.Error("clearing up", "err", err)
			return 1
		}
		return 0
	}
	l, uid, err := commission(args)
	if err != nil {
		log.Error("cannot serve a daemon", "err", err)
		return 1
	}
	s := spawner{uid: uid, parent: parent{newStrays(), identity()}, pulse: newPulse()}
	s.served = s.pulse.keep()
	defer s.served()
	if len(args) == 2 {
		s.unclear = clearHome(args[1])
	}
	if err := s.serve(ctx, l); err != nil {
		log.Error("started no monitor", "err", err)
		return 1
	}
	return 0
}

// commission returns the socket, and the user id of whom to serve.
func commission(args []string) (*net.UnixListener, int, error) {
	if len(args) < 1 || len(args) > 2 {
		return nil, 0, errors.New("name the daemon's user")
	}
	u, err := user.Lookup(args[0])
	if err != nil {
		return nil, 0, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil || uid == os.Getuid() || os.Getuid() == 0 {
		return nil, 0, errors.New("programs are to be of another user than the daemon, and not root's")
	}
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, 0, fmt.Errorf("taking over the socket: %w", err)
	}
	if len(listeners) == 1 {
		if l, ok := listeners[0].(*net.UnixListener); ok {
			return l, uid, nil
		}
	}
	return nil, 0, errors.New("systemd has to hand over one Unix socket")
}

// A spawner starts a monitor for a process of a user.
type spawner struct {
	uid     int
	parent  parent
	unclear error // why something of another run may be left
	pulse   pulse
	served  func() // is called when there is a monitor, whose orders keep the pulse from then on
}

// serve takes one order, and returns when nothing of it is left, or when ctx ends
// before there was one.
func (s *spawner) serve(ctx context.Context, l *net.UnixListener) error {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.SetDeadline(time.Unix(1, 0)) })()
	conn, err := l.AcceptUnix()
	if ctx.Err() != nil {
		if err == nil {
			conn.Close()
		}
		return nil
	}
	if err != nil {
		return err // and systemd starts another one
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.CloseRead() })()
	return s.attend(ctx, conn)
}

// attend starts a monitor, and returns when nothing is left of what it watched
// over.
func (s *spawner) attend(ctx context.Context, conn *net.UnixConn) error {
	if err := s.serves(conn); err != nil {
		return err
	}
	files, err := takeOrder(conn)
	if err != nil {
		return err
	}
	w, t, err := s.start(files)
	for _, f := range files {
		f.Close()
	}
	if err != nil {
		errno, _ := errors.AsType[syscall.Errno](err)
		answer := byte(max(errno, 1))
		if s.unclear != nil {
			answer = answerUnclear
		}
		conn.Write([]byte{answer})
		return err
	}
	conn.WriteMsgUnix([]byte{0}, t.rights(), nil) // a daemon that has gone is noticed at once
	t.close()
	s.served()
	s.obey(conn, w)
	// There is no pulse any more: systemd does not wait for ever for what follows.
	if ctx.Err() != nil { // the daemon is there still, and its monitor would go on
		w.end()
	}
	w.wake() // to notice either
	late := time.AfterFunc(endTimeout, w.kill)
	defer late.Stop()
	if killed(w.cmd.Process.Pid) {
		w.sweep()
	}
	w.wait()
	return nil
}

func (s *spawner) start(files []*os.File) (*ward, tty, error) {
	if s.unclear != nil {
		return nil, tty{}, s.unclear
	}
	return s.parent.start(files)
}

// killed waits for the end of a child, without collecting it, and reports whether
// that was by a signal.
func killed(pid int) bool {
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	return info.Code != cldExited
}

// cldExited is CLD_EXITED of sigaction(2).
const cldExited = 1

func (s *spawner) serves(conn *net.UnixConn) error {
	p, err := peer.Of(conn)
	if err != nil {
		return err
	}
	defer p.Close()
	if p.UID != s.uid {
		return fmt.Errorf("%w: uid %d", peer.ErrForeign, p.UID)
	}
	return nil
}

var errOrder = errors.New("malformed order")

// takeOrder reads the first message. The files are the caller's to close.
func takeOrder(conn *net.UnixConn) (files []*os.File, err error) {
	conn.SetReadDeadline(time.Now().Add(startTimeout))
	defer conn.SetReadDeadline(time.Time{})
	first, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4*spawnerSockets))
	n, oobn, flags, _, err := conn.ReadMsgUnix(first, oob)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			files = nil
		}
	}()
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, errOrder
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, errOrder
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	if n != 1 || first[0] != spawnerVersion || flags&unix.MSG_CTRUNC != 0 || !ordered(files) {
		return files, errOrder
	}
	return files, nil
}

// ordered reports whether files are what an order brings.
func ordered(files []*os.File) bool {
	return len(files) == spawnerSockets && !slices.ContainsFunc(files, func(f *os.File) bool {
		info, err := f.Stat()
		return err != nil || info.Mode().Type() != os.ModeSocket
	})
}

// obey carries out orders until there are no more. The pulse goes on as long as they
// can be read.
func (s *spawner) obey(conn *net.UnixConn, w *ward) {
	order := make([]byte, 1)
	for {
		s.pulse.beat()
		conn.SetReadDeadline(s.pulse.next())
		n, err := conn.Read(order)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if n == 0 || err != nil {
			return
		}
		switch order[0] {
		case orderWake:
			w.wake()
		case orderKill:
			w.kill()
		default:
			return
		}
	}
}
