package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// interpreters are programs that run what they are given, with the letters of the
// options after which that is an argument, or standard input.
var interpreters = map[string]string{
	"sh": "cs", "bash": "cs", "dash": "cs", "zsh": "cs", "ksh": "cs", "mksh": "cs", "ash": "cs", "fish": "cC", "csh": "c", "tcsh": "c", "busybox": "cs",
	"python": "cm", "pypy": "cm", "node": "ep", "nodejs": "ep", "bun": "ep", "deno": "", "perl": "eE", "ruby": "e", "php": "rRBE",
	"lua": "e", "luajit": "e", "tclsh": "", "expect": "c", "Rscript": "e", "pwsh": "c", "osascript": "e",
	"awk": "e", "gawk": "e", "mawk": "e", "sed": "e",
}

// textFirst are those that run their first argument, unless -f names a file.
var textFirst = []string{"awk", "gawk", "mawk", "sed"}

// inlineOptions are the long ones.
var inlineOptions = []string{"--eval", "--print", "--command", "--execute", "--run", "-"}

// inline reports whether a command is an interpreter that runs something else than a
// file that it names. called are the names by which it may be known.
func inline(c pinned.Command, called ...string) bool {
	for _, name := range called {
		if letters, ok := interpreters[stem(name)]; ok && c.Interpreter == "" {
			return without(c, letters) || slices.Contains(textFirst, stem(name)) && !slices.ContainsFunc(c.Args, namesScript)
		}
	}
	return slices.ContainsFunc(called, func(name string) bool { return wraps(c, stem(name)) })
}

// wrappers are programs that start the one that their arguments name.
var wrappers = []string{
	"bwrap", "chroot", "chrt", "dbus-run-session", "doas", "env", "fakeroot", "find", "firejail", "flock", "gdb", "gosu", "ionice", "ltrace", "nice", "nohup",
	"nsenter", "perf", "prlimit", "runuser", "script", "setarch", "setpriv", "setsid", "stdbuf", "strace", "su", "sudo", "systemd-run", "taskset", "time", "timeout",
	"tini", "unbuffer", "unshare", "xvfb-run",
}

// feeders are those that take from standard input or from a text what they start.
var feeders = []string{"entr", "parallel", "watch", "xargs"}

// wraps reports whether a command is a wrapper of this name around an interpreter that
// runs something else than a file that it names. In doubt it is.
func wraps(c pinned.Command, name string) bool {
	if slices.Contains(feeders, name) {
		return true
	}
	if !slices.Contains(wrappers, name) {
		return false
	}
	for i, arg := range c.Args {
		if name == "env" && (strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "S") || strings.HasPrefix(arg, "--split-string")) {
			return true
		}
		if inline(behind(c, i), arg) {
			return true
		}
	}
	return false
}

// behind returns what an argument of a wrapper starts.
func behind(c pinned.Command, n int) (inner pinned.Command) {
	inner.Args = c.Args[n+1:]
	for _, f := range c.Files {
		if f.Arg > n {
			f.Arg -= n + 1
			inner.Files = append(inner.Files, f)
		}
	}
	return inner
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

// namesScript reports whether an option says where the script is.
func namesScript(arg string) bool {
	return strings.HasPrefix(arg, "-f") || strings.HasPrefix(arg, "--file")
}

// without reports whether the arguments name no script, or have options with these
// letters before it. What is glued to an option is no script, and what follows one may be
// its value: then options behind it count, too.
func without(c pinned.Command, letters string) bool {
	i := slices.IndexFunc(c.Files, func(f pinned.File) bool { return strings.IndexAny(c.Args[f.Arg], "-@") != 0 })
	if i < 0 {
		return true
	}
	end := c.Files[i].Arg
	if end > 0 && strings.HasPrefix(c.Args[end-1], "-") && !namesScript(c.Args[end-1]) {
		end = len(c.Args)
	}
	for _, arg := range c.Args[:end] {
		option, _, _ := strings.Cut(arg, "=")
		if slices.Contains(inlineOptions, option) {
			return true
		}
		if strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.ContainsAny(arg, letters) {
			return true
		}
	}
	return false
}
