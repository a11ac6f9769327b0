package spawn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errNoCopy is the error about an argument that names no file any more of which there is a
// copy.
var errNoCopy = errors.New("an argument names no file any more: run it again")

// copied returns the path of the script, and the arguments, with copies in place of files:
// given are the arguments before secrets were put into them.
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
		names := FileNames(given[c.Arg])
		i := slices.IndexFunc(names, func(name string) bool { _, ok := identifyPath(name); return ok })
		if i < 0 {
			return "", nil, errNoCopy
		}
		before, found := strings.CutSuffix(out[c.Arg], names[i])
		if !found {
			return "", nil, errNoCopy
		}
		out[c.Arg] = before + path
	}
	return script, out, nil
}
