package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/vault/pinned"
)

// interpreters are programs that run what they are given, with the letters of the
// options after which that is an argument, or standard input.
var interpreters = map[string]string{
	"sh": "cs", "bash": "cs", "dash": "cs", "zsh": "cs", "ksh": "cs", "mksh": "cs", "ash": "cs", "fish": "cC", "csh": "c", "tcsh": "c", "busybox": "cs",
	"python": "cm", "pypy": "cm", "node": "ep", "nodejs": "ep", "bun": "ep", "deno": "", "perl": "eE", "ruby": "e", "php": "rRBE",
	"lua": "e", "luajit": "e", "tclsh": "", "expect": "c", "Rscript": "e", "pwsh": "c", "osascript": "e", "awk": "", "gawk": "", "mawk": "", "sed": "",
}

// inlineOptions are the long ones.
var inlineOptions = []string{"--eval", "--print", "--command", "--execute", "--run", "-"}

// inline reports whether a command is an interpreter that runs something else than a
// file that it names. called are the names by which it may be known.
func inline(c pinned.Command, called ...string) bool {
	for _, name := range called {
		if letters, ok := interpreters[stem(name)]; ok && c.Interpreter == "" {
			return without(c, letters)
		}
	}
	return false
}

// plain reports whether a path leads to a plain file. What else a program may read there
// makes the command weak.
func (m *measurer) plain(path string) bool {
	if passed(path) {
		m.weak = append(m.weak, "inline")
		return false
	}
	info, err := os.Stat(path)
	switch {
	case err != nil, filepath.Clean(path) == os.DevNull:
		return false
	case info.IsDir():
		if _, open, _ := m.rights.follow(path); open {
			m.weak = append(m.weak, "dir")
		}
		return false
	case !info.Mode().IsRegular():
		m.weak = append(m.weak, "inline") // a device, a pipe: somebody else's words
		return false
	}
	return true
}

// passed reports whether a path leads to a descriptor that the program has from its
// caller. Here it would be one of the daemon's.
func passed(path string) bool {
	path = filepath.Clean(path)
	return slices.ContainsFunc([]string{"/dev/std", "/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"}, func(in string) bool { return strings.HasPrefix(path, in) })
}

// stem returns the name of a program without its version.
func stem(path string) string { return strings.TrimRight(filepath.Base(path), "0123456789.-") }

// without reports whether the arguments name no file, or have options with these
// letters before the first one that does.
func without(c pinned.Command, letters string) bool {
	if len(c.Files) == 0 {
		return true
	}
	for _, arg := range c.Args[:c.Files[0].Arg] {
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
