// Package owned tells whether a path leads where its owners alone can decide what
// is there.
//
// A mode of 0600 keeps others from a file, and not from renaming the directory
// above it and putting another one in its place. So [Check] looks at all that the
// path leads through, symbolic links and what they lead through as well.
package owned

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as for the kernel.
const maxLinks = 40

// Check returns an error if others than root and the owners, who are user ids, can
// write to what is at path, or put something else in its place. In a directory such as /tmp, where
// everybody can write and delete only what is theirs, what belongs to root and the
// owners is safe.
//
// A group counts as an owner if it is root's, or the one that an owner has for
// themselves: it has their name and is their first.
func Check(path string, owners ...int) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	w := walk{owners: owners, at: "/", rest: names(path)}
	if err := w.look("/"); err != nil {
		return err
	}
	for len(w.rest) > 0 {
		if err := w.step(); err != nil {
			return err
		}
	}
	return nil
}

// names takes a path apart.
func names(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" || s == "." })
}

// A walk is along a path, without its symbolic links.
type walk struct {
	owners []int
	at     string
	rest   []string
	links  int
}

// step goes on by one name.
func (w *walk) step() error {
	next := filepath.Join(w.at, w.rest[0])
	w.rest = w.rest[1:]
	if err := w.look(next); err != nil {
		return err
	}
	info, err := os.Lstat(next)
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSymlink {
		w.at = next
		return nil
	}
	target, err := os.Readlink(next)
	if err != nil {
		return err
	}
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("%s: %w", next, unix.ELOOP)
	}
	if filepath.IsAbs(target) {
		w.at = "/"
	}
	w.rest = slices.Concat(names(target), w.rest)
	return nil
}

// look refuses what somebody else can change.
func (w *walk) look(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	kind := st.Mode & unix.S_IFMT
	if st.Uid != 0 && !slices.Contains(w.owners, int(st.Uid)) {
		return fmt.Errorf("%s belongs to uid %d, who could replace it", path, st.Uid)
	}
	if kind == unix.S_IFLNK || kind == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0 {
		return nil // nobody writes to a link; and see Check
	}
	if st.Mode&0o002 != 0 {
		return fmt.Errorf("everybody can write to %s", path)
	}
	if st.Mode&0o020 != 0 && !w.own(int(st.Gid)) {
		return fmt.Errorf("group %s can write to %s", groupName(int(st.Gid)), path)
	}
	return nil
}

// own reports whether a group is nobody's but root's and the owners'.
func (w *walk) own(gid int) bool {
	if gid == 0 || len(w.owners) > 0 && gid == administrators {
		return true
	}
	return slices.ContainsFunc(w.owners, func(uid int) bool {
		u, err := user.LookupId(strconv.Itoa(uid))
		return err == nil && u.Gid == strconv.Itoa(gid) && groupName(gid) == u.Username
	})
}

// groupName returns the name of a group, its number if it has none.
func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}
