// Package blackbox asks a server, from outside, for what clients of other
// makes rely on: each behaviour over HTTP, with the attestation of daemons and
// without, and the lives of an older command line and an older daemon.
//
// What is sent here is written by hand, after the published format, and none of
// the product's own code makes or reads it: a mistake that its client shares with
// its server shows here.
package blackbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// bin is where the program is, as it is shipped, under its four names.
var bin string

// A mode is one of the two ways in which every behaviour is shown.
type mode struct {
	name     string
	attested bool
	*program // which most tests share
}

var modes = []*mode{{name: "attested", attested: true}, {name: "unattested"}}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "bb-") // short, for the path of a socket
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		defer kill()
		if err := prepare(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// prepare builds the program and starts a server for each mode.
func prepare(dir string) error {
	bin = dir
	if err := e2e.Build("../..", dir); err != nil {
		return err
	}
	errs := make([]error, len(modes))
	var started sync.WaitGroup
	for i, m := range modes {
		started.Go(func() {
			home := filepath.Join(dir, m.name)
			if errs[i] = os.Mkdir(home, 0o700); errs[i] == nil {
				m.program, errs[i] = launch(home, "cortex-server", "X_CORTEX_URL", m.environment(home))
			}
		})
	}
	started.Wait()
	return errors.Join(errs...)
}

// kill ends the servers of the modes.
func kill() {
	for _, m := range modes {
		if m.program != nil {
			m.Kill()
		}
	}
}

// each runs a test in both modes, against the servers that all share.
func each(t *testing.T, test func(v *vault)) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			test(newVault(t, m.attested, m.url))
		})
	}
}
