package daemon

import (
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/daemon/spawn"
)

// An interpreter is what is known of one's command line, up to the file that it runs. The
// zero value is of one without options. Any other option may be one with code behind it.
type interpreter struct {
	flags  string // letters of options without a value
	values string // of those with one, in the same argument or the next
	next   string // of those with one in the next argument, also behind a "+": shells
	file   string // of those whose value is the file that it runs
	// long are other options without a value, or beginnings of them before a *.
	long []string
	// assigns says that a long option may have a value behind a "=".
	assigns bool
	// verbs may come before the file. There are others.
	verbs []string
	// text says that the first argument that is no option is code, unless a file was named,
	// and that options behind it count as well.
	text bool
}

// words are arguments, and which of them name files.
type words struct {
	args  []string
	files []spawn.File
}

// from returns the arguments behind one.
func (w words) from(n int) words {
	behind := words{args: w.args[n+1:]}
	for _, f := range w.files {
		if f.Arg > n {
			f.Arg -= n + 1
			behind.files = append(behind.files, f)
		}
	}
	return behind
}

// names reports whether an argument names a plain file, by the part of it that is name.
func (w words) names(n int, name string) bool {
	return name != "-" && slices.ContainsFunc(w.files, func(f spawn.File) bool {
		return f.Arg == n && spawn.FileNames(w.args[n])[f.Name] == name
	})
}

// whole reports whether there is an argument that names a plain file as it is.
func (w words) whole(n int) bool { return n < len(w.args) && w.names(n, w.args[n]) }

// runsFile reports whether it is certain that an interpreter runs a plain file that an
// argument names, and nothing else that arguments, or its input, say.
func (in interpreter) runsFile(w words) bool {
	named := false
	for n := 0; n < len(w.args); n++ {
		arg := w.args[n]
		switch {
		case arg == "--":
			return named || in.first(w, n+1)
		case !in.isOption(arg):
			if verb := n == 0 && slices.Contains(in.verbs, arg); !verb && !(named && in.text) {
				return named || in.first(w, n)
			}
		case in.harmless(arg):
		default:
			more, file, ok := in.option(w, n)
			if !ok {
				return false
			}
			named, n = named || file, n+more
		}
	}
	return named
}

// first reports whether the first argument that is no option is the file that is run. What
// could be a verb is one.
func (in interpreter) first(w words, n int) bool {
	return !in.text && w.whole(n) && (len(in.verbs) == 0 || strings.ContainsAny(w.args[n], "./"))
}

func (in interpreter) isOption(arg string) bool {
	return len(arg) > 1 && (arg[0] == '-' || arg[0] == '+' && in.next != "")
}

// harmless reports whether a long option is known to bring no code, and no further
// argument.
func (in interpreter) harmless(arg string) bool {
	if slices.ContainsFunc(in.long, func(l string) bool {
		stem, open := strings.CutSuffix(l, "*")
		return l == arg || open && strings.HasPrefix(arg, stem) && !strings.Contains(arg, "=")
	}) {
		return true
	}
	name, value, ok := strings.Cut(arg, "=")
	return ok && in.assigns && strings.HasPrefix(arg, "--") && !slices.Contains(loading, name) &&
		!strings.Contains(value, "://") && !strings.HasPrefix(value, "data:")
}

// loading are long options whose value is code, or says where there is more.
var loading = []string{
	"--command", "--define", "--eval", "--execute", "--experimental-loader", "--import", "--import-map", "--init-command", "--loader", "--preload", "--print",
	"--require", "--run",
}

// option reads the option that is argument n. more is how many arguments behind it belong
// to it; file says that it names the file that is run. It is not ok where that cannot be
// said, or is no plain file.
func (in interpreter) option(w words, n int) (more int, file, ok bool) {
	arg := w.args[n]
	if strings.HasPrefix(arg, "--") {
		name, value, glued := strings.Cut(arg, "=")
		switch {
		case in.file == "" || name != "--file":
			return 0, false, false
		case glued:
			return 0, true, w.names(n, value)
		}
		return 1, true, w.whole(n + 1)
	}
	for i := 1; i < len(arg); i++ {
		is := func(letters string) bool { return strings.IndexByte(letters, arg[i]) >= 0 }
		last := i == len(arg)-1
		switch {
		case is(in.flags):
		case is(in.next) && last, is(in.values) && last:
			return 1, false, true
		case is(in.values):
			return 0, false, true
		case is(in.file) && last:
			return 1, true, w.whole(n + 1)
		case is(in.file) && i == 1:
			return 0, true, w.names(n, arg[2:])
		default:
			return 0, false, false
		}
	}
	return 0, false, true
}
