package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// startRedacting has a text copied from standard input to standard output, with
// the values of a project masked that was run before. They are fetched for it, on
// the record, and what copies the text does not get them.
func (j *job) startRedacting(ctx context.Context) (*spawn.Run, error) {
	if j.req.V == 0 {
		return nil, fmt.Errorf("%w: redact wants descriptors", ipc.ErrMalformed)
	}
	j.req.Program, j.req.Args, j.req.Env = "cat", nil, nil
	if err := j.admit(j.req); err != nil {
		return nil, err
	}
	spec, err := surroundings(j.c, j.req)
	if err != nil {
		return nil, err
	}
	spec.Further = nil
	names, err := j.redacts(j.req.Project, j.c.peer.UID)
	if err != nil {
		return nil, err
	}
	by := j.caller(j.c.peer, spec.Dir)
	// The caller's directory may be closed to whoever copies the text.
	if spec.Dir, err = os.Open("/"); err != nil {
		return nil, err
	}
	defer spec.Dir.Close()
	got, err := awaited(ctx, j.signals, func(ctx context.Context) (gift, error) {
		return j.values(ctx, j.req.Project, wish{names: names, look: j.lookBack(spec, j.c.peer, j.req.Project)}, by)
	})
	defer got.wipe()
	if err != nil {
		return nil, err
	}
	if err := j.pin(&spec, got); err != nil {
		return nil, err
	}
	if names := short(got); len(names) > 0 {
		j.c.answer(ipc.Response{OK: true, Unmasked: names})
	}
	spec.Needles = secrets(got.values)
	return j.launch(ctx, spec)
}

// lookBack is look for what masks a text. It is said to be what the project ran last: that
// wrote the text, or so it is hoped, and is what was approved. What copies the text does not
// get the values, and whoever has it copied no more than from what it ran.
func (d *enrolment) lookBack(spec spawn.Spec, p *peer.Peer, project string) look {
	return look{sync.OnceValues(func() (measurement, error) {
		m, err := d.measure(spec, d.rightsOf(p))
		if err != nil {
			return m, err
		}
		if of := d.projects.known(project); of != nil {
			if c := of.lastRun(); c != nil {
				m.command = *c
			}
		}
		return m, nil
	})}
}

// A mask tells who shows it a guess whether that is a value, and each text is a fetch
// on the record. So there are no more than that many texts of a project in that time;
// how many guesses one holds is not limited.
const (
	redactions = 20
	redactTime = time.Minute
)

// redacts returns the names whose values are to be masked in a text of a user's, who has
// run the project: to others a mask would answer guesses.
func (d *enrolment) redacts(name string, uid int) ([]string, error) {
	p := d.projects.known(name)
	if p == nil {
		p = &project{name: name}
	}
	t, why := p.get(), ""
	switch {
	case t == nil && p.wasCut():
		why = "was revoked or frozen since it was last run"
	case t == nil:
		why = "has not been run since the daemon was started"
	case !p.wasRunBy(uid):
		why = "has not been run by this user since the daemon was started"
	}
	if why != "" {
		return nil, client.WithHint(fmt.Errorf("project %s %s", name, why), "cortex run --project "+name+" -- true")
	}
	return t.names, p.mayRedact(time.Now())
}

var errTooManyTexts = errors.New("too many texts to redact")

func (p *project) mayRedact(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.redacted) > 0 && now.Sub(p.redacted[0]) >= redactTime {
		p.redacted = p.redacted[1:]
	}
	if len(p.redacted) >= redactions {
		wait := redactTime - now.Sub(p.redacted[0])
		return client.WithHint(fmt.Errorf("project %s: %w", p.name, errTooManyTexts), fmt.Sprintf("try again in %s", wait.Round(time.Second)))
	}
	p.redacted = append(p.redacted, now)
	return nil
}
