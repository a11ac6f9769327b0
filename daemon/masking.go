package daemon

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/mask"
)

// errMustMask is in the chain of the error about a run that is not to be masked,
// of a project whose runs are.
var errMustMask = errors.New("what its commands print is always masked")

// masks reports whether what the program prints is to be masked, and says of
// which values that cannot be.
func (j *job) masks(got gift) (bool, error) {
	if j.req.NoMask == nil {
		return true, nil
	}
	if *j.req.NoMask {
		if !got.unmaskable && j.req.Project == "" {
			return false, fmt.Errorf("a run of no project: %w", errMustMask)
		}
		if !got.unmaskable {
			return false, client.WithHint(fmt.Errorf("project %s: %w", j.req.Project, errMustMask),
				"run it without --no-mask, or have an administrator allow it: cortex project settings "+j.req.Project+" --masking optional")
		}
		j.log.Info("a program's output is not masked", "project", j.req.Project, "client", j.c.peer.PID)
		return false, nil
	}
	all := short(got)
	if len(all) == 0 {
		return true, nil
	}
	p, err := j.projects.of(j.req.Project)
	if err != nil {
		return false, err
	}
	if names := p.unmasked.news(j.c.peer.UID, all); len(names) > 0 {
		j.c.answer(ipc.Response{OK: true, Unmasked: names})
	}
	return true, nil
}

// short returns the names of values that cannot be masked, sorted.
func short(got gift) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(got.values)) {
		if mask.Short(got.values[name]) {
			names = append(names, name)
		}
	}
	return names
}
