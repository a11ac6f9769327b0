package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/daemon/spawn"
)

// inline reports whether a command is an interpreter that runs something else than a
// file that it names, or may do so. called are the names by which it may be known.
func inline(w words, called ...string) bool {
	for _, name := range called {
		if in, ok := interpreters[stem(name)]; ok {
			return !in.runsFile(w)
		}
	}
	return slices.ContainsFunc(called, func(name string) bool { return wraps(w, stem(name)) })
}

// wraps reports whether a command is a wrapper of this name around an interpreter that
// runs something else than a file that it names. In doubt it is.
func wraps(w words, name string) bool {
	if slices.Contains(feeders, name) {
		return true
	}
	if !slices.Contains(wrappers, name) {
		return false
	}
	for i, arg := range w.args {
		if name == "env" && (strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "S") || strings.HasPrefix(arg, "--split-string")) {
			return true
		}
		if inline(w.from(i), arg) {
			return true
		}
	}
	return false
}

// plain reports whether an argument names a plain file by the one of its names that is i.
// What else a program may read there makes the command weak.
func (m *measurer) plain(n, i int, name string) bool {
	path := m.abs(name)
	if spawn.Inherited(path) {
		m.weak = append(m.weak, "inline")
		return false
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Mode().IsRegular():
		return true
	case errors.Is(err, os.ErrNotExist):
		if strings.Contains(name, "/") { // somebody can put there what the program reads
			m.mayChange(path)
		}
		return false
	case err != nil:
		return false
	}
	if o, found := spawn.OtherAt(n, i, path); found {
		m.out.exact.Others = append(m.out.exact.Others, o)
	}
	switch {
	case filepath.Clean(path) == os.DevNull:
	case info.IsDir():
		m.mayChange(path)
	default:
		m.weak = append(m.weak, "inline") // a device, a pipe: somebody else's words
	}
	return false
}

// mayChange marks the command weak if what is at a path, or could be, is open to whoever
// starts it.
func (m *measurer) mayChange(path string) {
	if _, open, _ := m.rights.follow(path); open {
		m.weak = append(m.weak, "dir")
	}
}

// stem returns the name of a program without its version.
func stem(path string) string { return strings.TrimRight(filepath.Base(path), "0123456789.-") }
