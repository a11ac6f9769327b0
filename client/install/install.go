// Package install puts the daemon under the supervision of the system it runs
// on, systemd (Linux) or launchd (macOS), which starts it again when it fails:
// personal, as a service of the user who calls, or isolated, as one of the system
// with users of its own.
//
// An [Install] is a few files and a [manager] that reads them. The last line of
// each file has the hash of what stands before it, by which a later call knows
// what a person has changed: that is neither overwritten nor removed unasked.
package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// ErrEdited is in the chain of the error about a file that somebody has changed,
// or has made, since it was installed.
var ErrEdited = errors.New("was not written by cortex, or was edited since")

// ErrNoManager is in the chain of the error where no service manager answers.
var ErrNoManager = errors.New("no service manager answers")

// An Install is the daemon as a service.
type Install struct {
	Files []File
	// Login is what to type to log in, Logs what to type to read what the daemon has
	// to say, and Advice what else there is to type.
	Login, Logs string
	Advice      []string

	manager manager
}

// A manager is what starts and stops the service.
type manager interface {
	// check returns an [ErrNoManager] if it is not there.
	check(context.Context) error
	// start starts the service, or anew if it has changed.
	start(ctx context.Context, changed bool) error
	stop(context.Context) error
	// forget follows the removal of the files.
	forget(context.Context) error
}

// What became of a file.
const (
	Written   = "written"
	Unchanged = "unchanged"
	Removed   = "removed"
	Absent    = "absent"
)

// A Change is what became of a file.
type Change struct {
	Path  string `json:"path"`
	State string `json:"state"`
}

// Apply writes the files and starts the service, which is ready when Apply
// returns. What is there already stays as it is: a service that runs is started
// anew only if one of its files is another one now. An [ErrEdited] comes before
// anything is changed, and not with force.
func (i *Install) Apply(ctx context.Context, force bool) ([]Change, error) {
	changes, err := i.plan(force, File.toWrite)
	if err != nil {
		return nil, err
	}
	if err := i.manager.check(ctx); err != nil {
		return nil, err
	}
	changed := slices.ContainsFunc(changes, func(c Change) bool { return c.State == Written })
	for n, c := range changes {
		if c.State == Written {
			if err := i.Files[n].write(); err != nil {
				return nil, err
			}
		}
	}
	return changes, i.manager.start(ctx, changed)
}

// Start starts the service where it is installed, and reports whether it is. It does
// nothing to one that runs.
func (i *Install) Start(ctx context.Context) (installed bool, err error) {
	for _, f := range i.Files {
		if _, err := os.Lstat(f.Path); errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
	}
	if err := i.manager.check(ctx); err != nil {
		return true, err
	}
	return true, i.manager.start(ctx, false)
}

// Remove stops the service and removes the files. An [ErrEdited] comes before
// anything is changed, and not with force.
func (i *Install) Remove(ctx context.Context, force bool) ([]Change, error) {
	changes, err := i.plan(force, File.toRemove)
	if err != nil {
		return nil, err
	}
	gone := func(c Change) bool { return c.State == Absent }
	if !slices.ContainsFunc(changes, func(c Change) bool { return !gone(c) }) {
		return changes, nil
	}
	if err := i.manager.check(ctx); err != nil {
		return nil, err
	}
	if err := i.manager.stop(ctx); err != nil {
		return nil, err
	}
	for _, c := range changes {
		if err := os.Remove(c.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("removing %s: %w", c.Path, err)
		}
	}
	return changes, i.manager.forget(ctx)
}

// plan says what is to become of each file.
func (i *Install) plan(force bool, todo func(File, bool) (string, error)) ([]Change, error) {
	var changes []Change
	for _, f := range i.Files {
		state, err := todo(f, force)
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{f.Path, state})
	}
	return changes, nil
}
