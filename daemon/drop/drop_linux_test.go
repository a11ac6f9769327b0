package drop

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/drop/droptest"
)

// pair returns both ends of a connection.
func pair(t *testing.T) (ours, theirs *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns []*net.UnixConn
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns = append(conns, conn.(*net.UnixConn))
	}
	return conns[0], conns[1]
}

// send sends a text with the last descriptor of a socket that lingers.
func send(t *testing.T, on *net.UnixConn, text string, flags int) {
	t.Helper()
	f, err := droptest.Lingering()
	if err == nil {
		err = droptest.Send(on, text, f, flags)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// soon fails unless f returns long before an hour.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal(what + " waits for a socket that lingers")
	}
}

func TestReader(t *testing.T) {
	for name, flags := range map[string]int{"as one does": 0, "out of band": unix.MSG_OOB} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := pair(t)
			r := Reader{Conn: ours, Bin: &Bin{}, UID: 7}
			theirs.Write([]byte("words"))
			b := make([]byte, 5)
			if n, err := io.ReadFull(r, b); err != nil || string(b[:n]) != "words" {
				t.Fatalf("%q, %v", b[:n], err)
			}
			send(t, theirs, "x", flags)
			theirs.Write([]byte("more"))
			theirs.CloseWrite()
			soon(t, "a read", func() {
				text, err := io.ReadAll(r)
				if flags == 0 && (len(text) > 0 || !errors.Is(err, ErrDescriptors)) || flags != 0 && (string(text) != "more" || err != nil) {
					t.Errorf("%q, %v", text, err)
				}
			})
			emptied(t, r.Bin)
		})
	}
}

// emptied waits until a bin has nothing left to close.
func emptied(t *testing.T, b *Bin) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		n := len(b.heaps) + b.all
		b.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(late) {
			t.Fatal("something is still being closed")
		}
	}
}

// What nobody has received goes with the connection, also while somebody waits for more.
func TestConnection(t *testing.T) {
	ours, theirs := pair(t)
	var ended error
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		_, ended = Reader{Conn: ours, Bin: &Bin{}}.Read(make([]byte, 1))
	}()
	before, idle := pair(t)
	send(t, idle, "x", 0)
	var bin Bin
	soon(t, "the end of a connection", func() { bin.Connection(7, before) })
	soon(t, "the end of one that is read", func() { bin.Connection(7, ours) })
	soon(t, "who reads it", func() { <-reading })
	if !errors.Is(ended, net.ErrClosed) && !errors.Is(ended, io.EOF) {
		t.Error(ended)
	}
	if _, err := theirs.Write([]byte("x")); err == nil {
		t.Error("the connection is open")
	}
	idle.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := idle.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(n, err)
	}
	emptied(t, &bin)
}

// What cannot be hurried has its user wait, and in the end everybody; but there are no more
// threads than so many.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Bin
		hold, at := make(chan struct{}), make(chan int, 1)
		at <- 0
		closing := func() int {
			synctest.Wait()
			n := <-at
			at <- n
			return n
		}
		for n := range waiting {
			if full := b.Full(7); full != (n >= most) {
				t.Fatalf("with %d it is full: %v", n, full)
			}
			b.Room(t.Context())
			b.Do(7, func() {
				at <- <-at + 1
				<-hold
				at <- <-at - 1
			})
		}
		if n := closing(); n != most || b.Full(8) {
			t.Errorf("%d are closed at a time, and it is full for others: %v", n, b.Full(8))
		}
		ctx, end := context.WithCancel(t.Context())
		room := make(chan bool)
		go func() {
			b.Room(ctx)
			close(room)
		}()
		synctest.Wait()
		select {
		case <-room:
			t.Error("there is room without end")
		default:
		}
		end()
		<-room
		close(hold)
		b.Room(t.Context())
		if n := closing(); n != 0 || b.Full(7) || b.all != 0 || len(b.heaps) != 0 {
			t.Errorf("%d, %+v", n, b.heaps)
		}
	})
}

// Receive returns what came, as many descriptors as may be sent at a time, and has no program inherit them.
func TestReceive(t *testing.T) {
	ours, theirs := pair(t)
	var fds []int
	for range maxRights {
		fds = append(fds, int(os.Stderr.Fd()))
	}
	if _, _, err := theirs.WriteMsgUnix([]byte("request\n"), unix.UnixRights(fds...), nil); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n, got, err := Reader{Conn: ours, Bin: &Bin{}}.Receive(b)
	if err != nil || string(b[:n]) != "request\n" || len(got) != maxRights {
		t.Fatalf("%q, %d descriptors, %v", b[:n], len(got), err)
	}
	for _, fd := range got {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Fatalf("%d: %#x, %v", fd, flags, err)
		}
		unix.Close(fd)
	}
	ours.SetReadDeadline(time.Unix(1, 0))
	if _, _, err := (Reader{Conn: ours, Bin: &Bin{}}).Receive(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
