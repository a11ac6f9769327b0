package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// Whose an SSH agent is: that of one program and of what it starts. The zero value
// is nobody's.
type whose struct {
	path  string // of the socket
	owner atomic.Pointer[spawn.Owner]
}

// become makes the agent the one of a program that is about to be started, and lets
// its user in, if it is another one than ours.
func (w *whose) become(o spawn.Owner) error {
	if o.UID != os.Geteuid() {
		for path, mode := range map[string]uint16{filepath.Dir(w.path): mayEnter, w.path: mayReadWrite} {
			if err := allow(path, o.UID, mode); err != nil {
				return fmt.Errorf("opening the SSH agent to uid %d: %w", o.UID, err)
			}
		}
	}
	w.owner.Store(&o)
	return nil
}

// errStranger is returned for a process that does not belong to the program.
var errStranger = errors.New("its SSH agent is for this command and what it starts, and was asked by another process")

// admit refuses whoever is not the program and was not started by it. What a process
// of the program does for another one is not to be seen.
func (w *whose) admit(p *peer.Peer) error {
	o := w.owner.Load()
	switch {
	case o == nil || p.UID != o.UID:
		return fmt.Errorf("%w: uid %d", peer.ErrForeign, p.UID)
	case !p.Below(o.PID):
		return fmt.Errorf("%w, %d", errStranger, p.PID)
	}
	return nil
}
