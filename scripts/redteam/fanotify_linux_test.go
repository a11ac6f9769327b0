package redteam

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// An opening is that somebody opens a file, or closes it after having read it. Who opens
// it waits until it was heard.
type opening struct {
	pid  int
	kind uint64 // one of unix.FAN_OPEN_PERM, FAN_OPEN_EXEC_PERM and FAN_CLOSE_NOWRITE
}

// A doorkeeper hears of what is done with a file, whatever it is called meanwhile.
type doorkeeper struct {
	group *os.File
	hear  func(opening)
	wg    sync.WaitGroup
}

// atOpening has a function called at each opening of a file by others, of the kinds that
// are given, until the function that is returned is called. It may be called by several
// at once.
func atOpening(t *testing.T, path string, kinds uint64, hear func(opening)) (end func()) {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		t.Fatalf("this needs a kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS: %v", err)
	}
	d := &doorkeeper{group: os.NewFile(uintptr(fd), "fanotify"), hear: hear}
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD, kinds, unix.AT_FDCWD, path); err != nil {
		d.group.Close()
		t.Fatal(err)
	}
	d.wg.Go(d.listen)
	return func() {
		d.group.Close() // who waits goes on
		d.wg.Wait()
	}
}

// listen reads what the kernel tells:
//
//	length   4 bytes, of all of it
//	version  1, reserved 1, length of this head 2
//	kind     8
//	file     4, open for this process
//	process  4
func (d *doorkeeper) listen() {
	buf := make([]byte, 4096)
	for {
		n, err := d.group.Read(buf)
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) >= 24; b = b[binary.NativeEndian.Uint32(b):] {
			kind, file := binary.NativeEndian.Uint64(b[8:]), int32(binary.NativeEndian.Uint32(b[16:]))
			o := opening{pid: int(int32(binary.NativeEndian.Uint32(b[20:]))), kind: kind}
			d.wg.Go(func() { d.answer(o, file) })
		}
	}
}

// answer lets somebody go on after the opening was heard.
func (d *doorkeeper) answer(o opening, file int32) {
	defer unix.Close(int(file))
	if o.pid != os.Getpid() {
		d.hear(o)
	}
	if o.kind&(unix.FAN_OPEN_PERM|unix.FAN_OPEN_EXEC_PERM) == 0 {
		return
	}
	allow := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, uint32(file)), unix.FAN_ALLOW)
	if _, err := d.group.Write(allow); err != nil && !errors.Is(err, os.ErrClosed) {
		panic("redteam: letting somebody go on: " + err.Error())
	}
}
