// Package drop lets go of what others have sent: descriptors, and connections with
// descriptors on them that nobody has received.
//
// Whoever closes the last descriptor of a thing waits as long as its maker likes: a socket
// lingers, for hours if it was told to, and a file in a file system of the maker's own is
// closed when that says so. No deadline ends this, and a thread waits with it. Reading is no
// way around it: a read that has no room for descriptors closes them, and so does one that
// skips a byte out of band.
//
// A wait for a socket that lingers ends at a signal, so threads that read or close here
// are sent one until they are done. For others nothing does, and these have threads of
// their own: see [Bin.Full].
package drop

import (
	"cmp"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// most is how much of one user's is closed at a time before no more should be received.
const most = 64

// A Bin closes what was sent. The zero value has nothing to close.
type Bin struct {
	mu      sync.Mutex
	closing map[int]int // by who sent it
}

// Full reports whether so much of what a user has sent is still being closed that nothing
// more should be received from it.
func (b *Bin) Full(uid int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing[uid] >= most
}

// Do calls closeAll, which closes what a user has sent, on a thread of its own. It does not
// wait for it.
func (b *Bin) Do(uid int, closeAll func()) {
	b.count(uid, 1)
	go func() {
		defer b.count(uid, -1)
		prodded(closeAll)
	}()
}

func (b *Bin) count(uid, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing == nil {
		b.closing = map[int]int{}
	}
	if b.closing[uid] += n; b.closing[uid] == 0 {
		delete(b.closing, uid)
	}
}

// Descriptors closes descriptors that a user has sent. It does not wait.
func (b *Bin) Descriptors(uid int, fds []int) {
	if len(fds) == 0 {
		return
	}
	b.Do(uid, func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
}

// Connection closes a connection, and what was sent on it and not received. That is closed
// here and now, in milliseconds, and not by who happens to read at the moment.
func Connection(conn *net.UnixConn) {
	conn.CloseRead() // nothing more comes
	last, err := again(conn)
	conn.Close()
	if err == nil {
		prodded(func() { unix.Close(last) })
	}
}

// again returns one more descriptor of a connection.
func again(conn *net.UnixConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(of uintptr) { fd, failed = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, cmp.Or(err, failed)
}

// The times until a thread is sent a signal, and between two of them.
const (
	patience = 2 * time.Millisecond
	haste    = 10 * time.Millisecond // for the first second
	leisure  = time.Second
)

// prodded calls f, which makes a system call, and sends its thread signals while that takes
// longer than it should.
func prodded(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread, done := self(), make(chan struct{})
	late := time.AfterFunc(patience, func() {
		for began := time.Now(); ; {
			prod(thread)
			pause := haste
			if time.Since(began) > time.Second {
				pause = leisure
			}
			select {
			case <-done:
				return
			case <-time.After(pause):
			}
		}
	})
	defer late.Stop()
	defer close(done)
	f()
}
