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
// are sent one until they are done. For others nothing does. So there are so many threads for
// what a user has sent, and no more; what waits for them keeps its descriptors: see [Bin.Full]
// and [Bin.Room].
package drop

import (
	"cmp"
	"context"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How much is closed at a time, of one user's, and how much of all users' may wait for that
// until nobody new should be let in: each has at least a descriptor.
const (
	most    = 64
	waiting = 1024
)

// Unknown stands for a user that is not known.
const Unknown = -1

// A Bin closes what was sent. The zero value has nothing to close.
type Bin struct {
	mu    sync.Mutex // guards what follows
	heaps map[int]*heap
	all   int
	less  chan struct{} // closed when there is less; nil while nobody waits for that
}

// A heap is what is not closed yet of what a user has sent.
type heap struct {
	n      int
	places chan struct{} // for those that are being closed
}

// Full reports whether so much of what a user has sent is not closed yet that nothing more
// should be received from it.
func (b *Bin) Full(uid int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.heaps[uid]
	return h != nil && h.n >= most
}

// Room waits until there is room for what else comes, from whomever, or ctx ends.
func (b *Bin) Room(ctx context.Context) {
	for {
		b.mu.Lock()
		if b.all < waiting {
			b.mu.Unlock()
			return
		}
		if b.less == nil {
			b.less = make(chan struct{})
		}
		less := b.less
		b.mu.Unlock()
		select {
		case <-less:
		case <-ctx.Done():
			return
		}
	}
}

// Do makes calls that close what a user has sent, one after the other on a thread of their
// own, and before that waits for others of the user's if there are many. It waits for
// neither.
func (b *Bin) Do(uid int, closings ...func()) {
	if len(closings) == 0 {
		return
	}
	h := b.add(uid)
	go func() {
		h.places <- struct{}{}
		for _, f := range closings {
			hastily(f) // each with a haste of its own
		}
		<-h.places
		b.remove(uid, h)
	}()
}

func (b *Bin) add(uid int) *heap {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.heaps[uid]
	if h == nil {
		if b.heaps == nil {
			b.heaps = map[int]*heap{}
		}
		h = &heap{places: make(chan struct{}, most)}
		b.heaps[uid] = h
	}
	h.n++
	b.all++
	return h
}

func (b *Bin) remove(uid int, h *heap) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.n--; h.n == 0 {
		delete(b.heaps, uid)
	}
	b.all--
	if b.less != nil {
		close(b.less)
		b.less = nil
	}
}

// Descriptors closes descriptors that a user has sent. It does not wait.
func (b *Bin) Descriptors(uid int, fds []int) {
	var closings []func()
	for _, fd := range fds {
		closings = append(closings, func() { unix.Close(fd) })
	}
	b.Do(uid, closings...)
}

// Connection ends a connection with a user, and closes it with what was sent on it and not
// received. It does not wait for that, nor does who reads it at the moment.
func (b *Bin) Connection(uid int, conn *net.UnixConn) {
	conn.CloseRead() // nothing more comes
	conn.CloseWrite()
	last, err := again(conn)
	if err != nil { // there are no more descriptors
		b.Do(uid, func() { conn.Close() })
		return
	}
	conn.Close()
	b.Do(uid, func() { unix.Close(last) })
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

// hastily calls f, which makes a system call, and sends its thread signals while that takes
// longer than it should.
func hastily(f func()) {
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
