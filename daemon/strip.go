package daemon

import (
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// strip returns the variables that a pinned command may have in a directory, each once:
// the last of a name, which is the one that was looked at ([spawn.Lookup]). Of PATH that
// is what nobody with these rights could put a program into; PWD is the directory. gone
// are the names of the others, and of those whose value is not [harmless], dirs what was
// taken out of PATH; each once, in their order.
func (r rights) strip(env, allowed []string, dir string) (kept, gone, dirs []string) {
	for i, v := range env {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case !pinned.InEnv(allowed, name):
			gone = append(gone, name)
		case again(env[i+1:], name):
		case name == "PATH":
			path, out := r.closed(value)
			kept, dirs = append(kept, "PATH="+path), append(dirs, out...)
		case name == "PWD":
			kept = append(kept, "PWD="+dir)
		case !harmless(name, value):
			gone = append(gone, name)
		default:
			kept = append(kept, v)
		}
	}
	return kept, unique(gone), unique(dirs)
}

func again(env []string, name string) bool {
	_, found := spawn.Lookup(env, name)
	return found
}

// closed returns the directories of a PATH in which others find nothing but what was
// put there for all, and those that are not so. Where none is left it is the usual ones:
// none at all would mean the working directory.
func (r rights) closed(path string) (kept string, out []string) {
	var in []string
	for dir := range strings.SplitSeq(path, ":") {
		if plainDir(dir) {
			if _, open, _ := r.follow(dir); !open {
				in = append(in, dir)
				continue
			}
		}
		out = append(out, dir)
	}
	if len(in) == 0 {
		usual := strings.Split(spawn.DefaultPath, ":")
		return spawn.DefaultPath, slices.DeleteFunc(out, func(dir string) bool { return slices.Contains(usual, dir) })
	}
	return strings.Join(in, ":"), out
}

func unique(list []string) (out []string) {
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
