package spawn

import (
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// A Further is a descriptor beyond the standard streams that a program inherits.
type Further struct {
	Number int // that it has in the program
	FD     int // that it has here, open until the program is started
}

// Withhold takes those of the further descriptors from s that would lead around the
// masking of what the program prints, and returns their numbers: of what is open for
// reading and writing, such as a socket, nobody could tell what passes. The others are
// the caller's own, unless they are a terminal, in whose place is the program's, or are
// open for writing alone while there is something to mask. Then they are a pipe, as a
// standard output is.
func (s *Spec) Withhold() (numbers []int) {
	if !s.masked() {
		return nil
	}
	s.Further = slices.DeleteFunc(slices.Clone(s.Further), func(f Further) bool {
		if passes(f.FD) || access(f.FD) == unix.O_WRONLY || s.Terminal.is(f.FD) {
			return false
		}
		numbers = append(numbers, f.Number)
		return true
	})
	return numbers
}

// Piped returns the numbers of the further descriptors that are files and will be pipes for
// the program: they cannot be locked there, nor can it seek in them. Those that Withhold
// takes are gone.
func (s *Spec) Piped() (numbers []int) {
	for _, f := range s.Further {
		var st unix.Stat_t
		if s.masked() && !passes(f.FD) && unix.Fstat(f.FD, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			numbers = append(numbers, f.Number)
		}
	}
	return numbers
}

// passes reports whether nothing could be seen of what is written to a descriptor.
func passes(fd int) bool { return access(fd) == unix.O_RDONLY || isNull(fd) }

// access returns what a descriptor is open for.
func access(fd int) int {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	switch {
	case err != nil:
		return unix.O_RDWR
	case flags&pathOnly != 0:
		return unix.O_RDONLY // for neither
	}
	return flags & unix.O_ACCMODE
}

// is reports whether a descriptor is of the caller's terminal.
func (t *Terminal) is(fd int) bool { return t != nil && sameTerminal(fd, int(t.Caller.Fd())) }

// divertFurther returns what a program has in place of a further descriptor.
func (d *diversion) divertFurther(s Spec, n int) (fd int, err error) {
	fd = s.Further[n].FD
	switch {
	case s.Terminal.is(fd):
		return int(d.tty.slave.Fd()), nil
	case !s.masked() || passes(fd):
		return fd, nil
	case access(fd) != unix.O_WRONLY:
		return 0, ErrSpec // it was to be withheld
	}
	// One pipe for what leads to the same, or the order of what they print would be lost.
	for i, f := range s.Streams {
		if i > 0 && f != nil && d.streams[i] != f && sameFile(fd, int(f.Fd())) {
			return int(d.streams[i].Fd()), nil
		}
	}
	for i, other := range s.Further[:n] {
		if d.further[i] != other.FD && sameFile(fd, other.FD) {
			return d.further[i], nil
		}
	}
	w, err := d.pipe(fd)
	if err != nil {
		return 0, err
	}
	return int(w.Fd()), nil
}

func validFurther(list []Further) bool {
	for i, f := range list {
		same := func(o Further) bool { return o.Number == f.Number }
		if f.Number < 3 || f.Number > ipc.MaxDescriptor || slices.ContainsFunc(list[:i], same) {
			return false
		}
	}
	return len(list) <= ipc.MaxFurther
}

func appendFurther(b []byte, list []Further) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(list)))
	for _, f := range list {
		b = binary.BigEndian.AppendUint32(b, uint32(f.Number))
	}
	return b
}

func (d *decoder) further() (list []Further) {
	for range d.count(4) {
		list = append(list, Further{Number: int(d.uint32())})
	}
	return list
}

// place puts the last descriptors of a process to the numbers of a program, and returns
// where those before them are now, which may have been in the way. Whatever else is open
// may be lost.
func place(fds []int, further []Further) (others []int, err error) {
	taken := map[int]bool{}
	var limit unix.Rlimit
	if len(further) > 0 {
		err = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	for _, f := range further {
		if err != nil || uint64(f.Number) >= limit.Cur {
			return nil, fmt.Errorf("there is no number %d, as few as the daemon may have", f.Number)
		}
		taken[f.Number] = true
	}
	for i, fd := range fds {
		for from := 3; taken[fd]; from = fd + 1 {
			// What is left behind is replaced below.
			if fd, err = unix.FcntlInt(uintptr(fds[i]), unix.F_DUPFD_CLOEXEC, from); err != nil {
				return nil, err
			}
		}
		fds[i] = fd
	}
	others = fds[:len(fds)-len(further)]
	for i, f := range further {
		fd := fds[len(others)+i]
		if err := dup(fd, f.Number); err != nil {
			return nil, err
		}
		syscall.CloseOnExec(f.Number)
		unix.Close(fd)
	}
	return others, nil
}

// keep lets a program inherit them.
func keep(further []Further) error {
	for _, f := range further {
		if _, err := unix.FcntlInt(uintptr(f.Number), unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	return nil
}
