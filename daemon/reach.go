package daemon

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Rights are what somebody could do to files: whoever starts a command, and whoever
// it runs as.
type rights struct {
	uids, gids []int
	// strangers says that there are others whose ids are not known here: all that is
	// not root's alone may be theirs.
	strangers bool
}

// maxLinks is how many symbolic links a path may lead through, as the kernel has it.
const maxLinks = 40

// follow returns where an absolute path leads, with no symbolic link in it, and whether
// somebody with these rights could make it lead elsewhere, or change what is there.
// Where it leads nowhere, which is an error, that is whether they could change that.
func (r rights) follow(path string) (to string, open bool, err error) {
	to, links, rest := "/", 0, names(path)
	dir, err := lstat(to)
	open = r.write(dir, to)
	for err == nil && len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			to = filepath.Dir(to)
			dir, err = lstat(to)
			continue
		}
		next := filepath.Join(to, name)
		var at unix.Stat_t
		if at, err = lstat(next); err != nil {
			return to, open || r.write(dir, to), err
		}
		open = open || r.replace(dir, at, to) || at.Dev != dir.Dev && pretended(next)
		if at.Mode&unix.S_IFMT != unix.S_IFLNK {
			to, dir = next, at
			continue
		}
		if links++; links > maxLinks {
			return to, open, unix.ELOOP
		}
		var target string
		if target, err = os.Readlink(next); err != nil {
			return to, open, err
		}
		if filepath.IsAbs(target) {
			to = "/"
			dir, err = lstat(to)
		}
		rest = append(names(target), rest...)
	}
	return to, open || err == nil && r.write(dir, to), err
}

// names returns the names in a path, without those that lead nowhere else.
func names(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
}

func lstat(path string) (st unix.Stat_t, err error) {
	if err := unix.Lstat(path, &st); err != nil {
		return st, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return st, nil
}

// owns reports whether they can do what only the owner of a file can.
func (r rights) owns(st unix.Stat_t) bool {
	return slices.Contains(r.uids, int(st.Uid)) || slices.Contains(r.uids, 0) || r.strangers && st.Uid != 0 && int(st.Uid) != os.Geteuid()
}

// write reports whether they can change what is at a path.
func (r rights) write(st unix.Stat_t, path string) bool {
	switch group := int(st.Gid); {
	case r.owns(st), st.Mode&0o002 != 0:
		return true
	case st.Mode&0o020 == 0:
		return false
	default:
		return slices.Contains(r.gids, group) || r.strangers && group != 0 || listed(path)
	}
}

// replace reports whether they can put another file in the place of one in a directory.
func (r rights) replace(dir, file unix.Stat_t, path string) bool {
	if !r.write(dir, path) {
		return false
	}
	return dir.Mode&unix.S_ISVTX == 0 || r.owns(dir) || r.owns(file)
}
