package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/drop"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/vault/owned"
)

// errInUse is returned where another daemon serves the socket.
var errInUse = errors.New("a daemon is running already")

// A listener is the socket. It is there, under its path and nobody else's,
// until Close.
type listener struct {
	*net.UnixListener
	path string
	lock *os.File
}

// listen makes the socket, mode 0600, or 0660 if there is a group that may use it,
// in a directory that only we can change or replace. What a daemon that was killed left behind is replaced; the socket of one
// that lives is not.
func listen(path, group string) (*listener, error) {
	if err := safeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	l, err := bind(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	ours := &listener{l, path, lock}
	if group != "" {
		if err := openTo(path, group); err != nil {
			ours.Close()
			return nil, err
		}
	}
	return ours, nil
}

// openTo lets the members of a group use the socket. The kernel asks for their
// permission to write to it when they connect.
func openTo(path, group string) error {
	g, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	if err := errors.Join(os.Lchown(path, -1, gid), os.Chmod(path, 0o660)); err != nil {
		return fmt.Errorf("giving the socket to group %s: %w", group, err)
	}
	return nil
}

// safeDir makes the directory if need be, and refuses one in which others
// could put a socket in place of ours, or which they could replace.
func safeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the socket's directory: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("checking the socket's directory %s: %w", dir, err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return fmt.Errorf("unsafe directory for the socket: %s is a symbolic link", dir)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s is not a directory", dir)
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("unsafe directory for the socket: %s belongs to uid %d, not to you (uid %d)", dir, st.Uid, os.Geteuid())
	case st.Mode&0o022 != 0:
		return client.WithHint(fmt.Errorf("unsafe directory for the socket: others may write to %s (mode %04o)", dir, st.Mode&0o7777), "chmod 700 "+dir)
	}
	if err := owned.Check(dir, os.Geteuid()); err != nil {
		return client.WithHint(fmt.Errorf("unsafe directory for the socket: others could replace %s: %w", dir, err), "have the socket in a directory of yours, with --sock, or with CORTEX_HOME")
	}
	return nil
}

// shut closes the directory of the keys, if it is there, to others. One that others
// could write to is for a person to look at.
func shut(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 == 0 || info.Mode().Perm()&0o022 != 0 {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("closing %s to others: %w", dir, err)
	}
	return nil
}

// takeLock keeps a second daemon away for as long as the file is open. The
// file stays: removing it would let two daemons lock two files of one name.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the socket: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, inUse(f)
		}
		return nil, fmt.Errorf("locking the socket: %w", err)
	}
	// For people, and for the message of the next one.
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid()))); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking the socket: %w", err)
	}
	return f, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func inUse(lock *os.File) error {
	text := make([]byte, 32)
	n, _ := lock.ReadAt(text, 0)
	err := fmt.Errorf("%w, process %s", errInUse, strings.TrimSpace(string(text[:n])))
	return client.WithHint(err, "see it with: cortex daemon status")
}

// bind replaces a socket that nobody serves. Holding the lock, it is enough to
// ask: only a daemon that knows no lock could come in between.
func bind(path string) (*net.UnixListener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("looking at the socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is there and is not a socket", path)
	default:
		if err := removeStale(path); err != nil {
			return nil, err
		}
	}
	old := unix.Umask(0o177) // 0600 from its first moment
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("making the socket: %w", err)
	}
	return l, nil
}

func removeStale(path string) error {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
	}
	// Only a refusal tells that nobody listens; with a full queue somebody does.
	if !errors.Is(err, unix.ECONNREFUSED) {
		return client.WithHint(fmt.Errorf("%w: something serves %s", errInUse, path), "see it with: cortex daemon status")
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the socket of a daemon that has ended: %w", err)
	}
	return nil
}

// Close removes the socket and lets go of its name.
func (l *listener) Close() error {
	err := l.UnixListener.Close() // removes it too
	return errors.Join(err, l.lock.Close())
}

// Waiting times of the accepting loop after an error such as too many open
// files, which passes.
const acceptPause = 100 * time.Millisecond

// serve accepts connections until ctx ends, and waits for all of them.
func (d *Daemon) serve(ctx context.Context, l *listener) error {
	defer context.AfterFunc(ctx, func() { l.SetDeadline(time.Unix(1, 0)) })()
	var wg sync.WaitGroup
	defer wg.Wait()
	places, large := newPlaces(d.cfg.maxConnections(), d.cfg.Group != ""), newPlaces(largePlaces, d.cfg.Group != "")
	large.most = places.most // nobody else waits for those
	arrivals := newArrivals(places.most)
	for {
		d.bin.Room(ctx)
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				d.bin.Connection(drop.Unknown, conn)
			}
			return nil
		}
		if err != nil {
			d.log.Error("accepting a connection", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		// Others get no byte, and no place.
		p, err := d.visitor(conn)
		if err != nil {
			d.log.Warn("refused a connection", "err", err)
			d.bin.Connection(drop.Unknown, conn)
			continue
		}
		reading, giveWay := context.WithCancel(ctx)
		c := &connection{UnixConn: conn, peer: p, bin: &d.bin, arrivals: arrivals, places: places, large: large, giveWay: giveWay}
		arrivals.await(c)
		wg.Go(func() {
			defer c.close()
			d.handle(ctx, reading, c)
		})
	}
}

// visitor returns whose process has connected. Where a group may, the socket's mode
// has kept out everybody else.
func (d *Daemon) visitor(conn *net.UnixConn) (*peer.Peer, error) {
	if d.cfg.Group != "" {
		return peer.Of(conn)
	}
	return peer.Own(conn)
}

// handle serves one connection, whose request is read until reading ends.
func (d *Daemon) handle(ctx, reading context.Context, c *connection) {
	req, err := c.readRequest(reading)
	c.giveWay()
	switch {
	case !c.arrivals.heard(c), errors.Is(err, errBusy):
		c.turnAway(errBusy)
		return
	case errors.Is(err, errClinging):
		c.turnAway(errClinging)
		return
	case err != nil:
		c.answer(ipc.Response{Error: err.Error()})
		return
	}
	if req.Cmd == ipc.CmdStatus {
		c.answer(d.status())
		return
	}
	switch req.Cmd {
	case ipc.CmdReload:
		leave, err := c.places.take(ctx, c.peer.UID, placeTimeout)
		if err != nil {
			c.answer(failure(err))
			return
		}
		defer leave()
		c.answer(d.reload(ctx))
	case ipc.CmdRun:
		c.answer(d.asEnrolled(func(e *enrolment) ipc.Response { return e.run(ctx, c, req, (*job).start) }))
	case ipc.CmdRedact:
		c.answer(d.asEnrolled(func(e *enrolment) ipc.Response { return e.run(ctx, c, req, (*job).startRedacting) }))
	default:
		c.answer(ipc.Response{Error: "unknown cmd: use status, reload, run or redact"})
	}
}
