package daemon

import (
	"errors"
	"os"
	"time"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// status answers a status request. There is no token in it.
func (d *Daemon) status() ipc.Status {
	s := ipc.Status{
		OK: true, AgentID: d.key.AgentID, ServerURL: d.client.URL(),
		PID: os.Getpid(), Version: d.cfg.Version, Runs: int(d.running.Load()), Hardening: []ipc.Measure{},
	}
	now, login, problem := d.sessions.state()
	s.Session = &ipc.Login{ServerURL: login.ServerURL, AgentID: login.AgentID, Proved: login.Proved}
	if !login.Proved {
		s.Session.ExpiresAt = login.ExpiresAt().UTC().Format(time.RFC3339)
	}
	if now.live() {
		s.AttestSessionID, s.ExpiresAt = now.id, now.expires.UTC().Format(time.RFC3339)
	}
	if _, refused := errors.AsType[refusal](problem); problem != nil && (refused || !now.live()) {
		s.Problem = problem.Error()
	}
	for _, m := range d.cfg.Hardening.Measures {
		s.Hardening = append(s.Hardening, ipc.Measure(m))
	}
	return s
}
