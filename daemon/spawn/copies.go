package spawn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errNoCopy is the error about a file of which there is a copy, and whose name is another
// one with the secrets in it.
var errNoCopy = errors.New("the name of a file that it gets a copy of has a secret in it")

// copied returns the path of the script, and the arguments, with copies in place of files:
// given are the arguments before secrets were put into them. Which part of an argument names
// the file was found out when the file was looked at: looking again, another part may name
// one.
func (e *Exact) copied(given, args []string) (script string, out []string, err error) {
	script, out = e.Path, slices.Clone(args)
	for _, c := range e.Copies {
		path, err := handOver(c.Content)
		if err != nil {
			return "", nil, fmt.Errorf("making a copy for it: %w", err)
		}
		if c.Arg < 0 {
			script = path
			continue
		}
		i := slices.IndexFunc(e.Files, func(f File) bool { return f.Arg == c.Arg })
		if i < 0 {
			return "", nil, errNoCopy
		}
		before, found := strings.CutSuffix(out[c.Arg], e.Files[i].name(given))
		if !found {
			return "", nil, errNoCopy
		}
		out[c.Arg] = before + path
	}
	return script, out, nil
}
