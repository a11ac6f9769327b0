package spawn

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// FileNames returns the parts of an argument that may name a file: all of it, what
// follows a "=", as in --config=FILE, or the letter of an option, as in -fFILE, and each
// of these without an "@" before it, as in @FILE.
func FileNames(arg string) []string {
	names := []string{arg}
	if _, value, ok := strings.Cut(arg, "="); ok {
		names = append(names, value)
	}
	if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' && arg[2] != '=' {
		names = append(names, arg[2:])
	}
	for _, name := range names {
		if file, ok := strings.CutPrefix(name, "@"); ok {
			names = append(names, file)
		}
	}
	return names
}

// ReadName returns which of an argument's [FileNames] a program most likely reads, by the
// form of the argument alone: what is behind a "=" or the letter of an option, and that
// without an "@". A "=" behind a "/" is in a name.
func ReadName(arg string) int {
	name, option := arg, strings.HasPrefix(arg, "-")
	before, value, ok := strings.Cut(arg, "=")
	names := FileNames(arg)
	switch {
	case ok && (option || !strings.Contains(before, "/")):
		name = value
	case option && len(names) > 1:
		name = names[1]
	}
	return slices.Index(names, strings.TrimPrefix(name, "@"))
}

// An Other is what an argument names that is no plain file: a directory, a pipe, a socket
// or a device.
type Other struct {
	Arg  int    // from 0, without the program
	Name int    // which of the argument's [FileNames]
	Kind uint32 // as the system has it in a file's mode
	// Dev and Ino are those of a pipe or a socket; of a device Dev is its number. A
	// directory is any: somebody who could put another one in its place can change what
	// is in this one as well.
	Dev, Ino uint64
}

// OtherAt returns what an argument names by one of its names, which is a path from the
// working directory, if that is there and no plain file.
func OtherAt(arg, name int, path string) (o Other, found bool) {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return Other{}, false
	}
	o = Other{Arg: arg, Name: name, Kind: uint32(st.Mode) & syscall.S_IFMT}
	switch o.Kind {
	case syscall.S_IFREG:
		return Other{}, false
	case syscall.S_IFIFO, syscall.S_IFSOCK:
		o.Dev, o.Ino = uint64(st.Dev), st.Ino
	case syscall.S_IFCHR, syscall.S_IFBLK:
		o.Dev = uint64(st.Rdev)
	}
	return o, true
}

// Inherited reports whether a path, as it is written, leads to a descriptor that a
// program has from its caller.
func Inherited(path string) bool {
	path = filepath.Clean(path)
	return slices.ContainsFunc([]string{"/dev/std", "/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"}, func(in string) bool { return strings.HasPrefix(path, in) })
}

// check looks at what the arguments name, for the last time.
func (e *Exact) check(args []string) error {
	files := e.Files
	for n, arg := range args {
		var was, is []File
		if len(files) > 0 && files[0].Arg == n {
			was, files = files[:1], files[1:]
		}
		for i, name := range FileNames(arg) {
			if id, ok := identifyPath(name); ok {
				is = append(is, File{n, i, id})
			} else if o, ok := OtherAt(n, i, name); ok && !slices.Contains(e.Others, o) && !given(name) {
				return fmt.Errorf("the argument %.200q names a directory, a pipe or a device that was not there, or not to be seen, when it was looked at", arg)
			}
		}
		switch {
		case slices.Equal(was, is):
		case len(was) == 0:
			return fmt.Errorf("the argument %.200q names a file that was not there, or not to be seen, when the others were looked at", arg)
		default:
			return fmt.Errorf("the argument %.200q names another file, or other content, than when it was looked at: run it again", arg)
		}
	}
	return nil
}

// given reports whether what a name leads to is no matter of whoever starts a program: it
// was said to be weak, or root alone can have put it there.
func given(name string) bool {
	if Inherited(filepath.Clean(name)) {
		return true
	}
	if !strings.HasPrefix(name, "/dev/") || slices.Contains(strings.Split(name, "/"), "..") {
		return false
	}
	// Anybody makes these, a terminal at the lowest number that is free.
	return !slices.ContainsFunc([]string{"/dev/shm/", "/dev/mqueue/", "/dev/pts/"}, func(dir string) bool { return strings.HasPrefix(filepath.Clean(name)+"/", dir) })
}
