package daemon

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/sshagent"
)

// refusals tell whoever started a program what its SSH agent did not do.
type refusals struct {
	connection *connection
	project    string
	log        *slog.Logger
	note       func(error) // for the status

	mu   sync.Mutex // guards told
	told map[string]bool
}

// maxRefusals is how many different ones a client hears of.
const maxRefusals = 20

// tell tells of one, unless the client has heard of it. It may not be there any more.
func (r *refusals) tell(err error) {
	text := err.Error()
	r.mu.Lock()
	known := r.told[text] || len(r.told) >= maxRefusals
	if !known {
		if r.told == nil {
			r.told = map[string]bool{}
		}
		r.told[text] = true
	}
	r.mu.Unlock()
	if known {
		return
	}
	if !clients(err) {
		r.note(err)
	}
	r.log.Warn("an SSH agent refused something", "project", r.project, "client", r.connection.peer.PID, "err", err)
	hint := client.Hint(err)
	if e, ok := errors.AsType[*sshagent.HostError](err); ok && len(e.Keys) > 0 {
		hint = "if that is the host's key, " + listHint(e.Keys[0])
	}
	r.connection.answer(ipc.Response{OK: true, Refused: text, Hint: hint})
}
