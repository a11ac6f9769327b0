package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/server/api"
)

// valuesOrHeld gets values from the server, and where that is away from what is held
// of it, if that was written down.
func (d *enrolment) valuesOrHeld(ctx context.Context, req ipc.Request, w wish, by client.CallerContext) (got gift, err error) {
	ask := func(ctx context.Context) (gift, error) { return d.values(ctx, req.Project, w, by) }
	switch {
	case !d.holds.covers(req.Project, w) || len(req.Templates)+len(req.SSH) > 0:
		got, err = d.insist(ctx, ask)
	case d.outage.began().IsZero():
		got, err = within(ctx, heldPatience, ask)
	default:
		got, err = within(ctx, awayAnswer, ask)
	}
	if d.outage.met(err) && ctx.Err() == nil {
		return d.held(req, w, err)
	}
	d.heed(req.Project, err)
	return got, err
}

// heed forgets what is held where the server said no.
func (d *enrolment) heed(project string, err error) {
	if _, ok := errors.AsType[refusal](err); ok {
		d.holds.forget("")
	}
	if unauthorized(err) || hasStatus(err, http.StatusForbidden) {
		d.holds.forget(project)
	}
}

// held returns what is held for a run, once it is written down that it is used, or why
// there is nothing.
func (d *enrolment) held(req ipc.Request, w wish, err error) (gift, error) {
	p, failed := d.projects.of(req.Project)
	switch {
	case failed != nil:
		return gift{}, failed
	case p.commandsAre() == api.CommandsEnforce:
		return gift{}, d.needsServer(req.Project, "it knows which commands are approved", err)
	case len(req.Templates) > 0:
		return gift{}, d.needsServer(req.Project, "templates are made there", err)
	case len(req.SSH) > 0:
		return gift{}, d.needsServer(req.Project, "SSH keys sign there", err)
	}
	got, h, unknown := d.holds.take(req.Project, w)
	switch {
	case h == nil:
		return gift{}, d.needsServer(req.Project, "", err)
	case len(unknown) > 0:
		return gift{}, d.needsServer(req.Project, "nothing is held of "+strings.Join(unknown, ", "), err)
	}
	if err := d.book.add(h.receipt, slices.Collect(maps.Keys(got.values))); err != nil {
		got.wipe()
		return gift{}, client.WithHint(fmt.Errorf("%w, and what is held of project %s is not used: %w", errAway, req.Project, err), "see what is wrong with "+d.cfg.dir())
	}
	d.log.Info("going on with what is held", "project", req.Project, "since", h.began.Format(time.RFC3339), "until", h.until.Format(time.RFC3339))
	got.offline = &ipc.Offline{Since: h.began.UTC().Format(time.RFC3339), Until: h.until.UTC().Format(time.RFC3339)}
	return got, nil
}

// hold keeps what was fetched for when the server is away, if it may be.
func (d *enrolment) hold(project string, s since, t *token, got client.Secrets) {
	until, full := d.holds.keep(project, s, t, got)
	switch {
	case full:
		d.log.Warn("no room to hold what may be used while the server is away", "project", project)
	case !until.IsZero():
		d.log.Info("holding what was fetched", "project", project, "until", until.Format(time.RFC3339))
	}
}

// reportSpread is over how long daemons spread what all of them have to say to a
// server that is back.
const reportSpread = time.Second

// report tells the server, when it is back, what was used while it was away, and gets
// anew what may have changed meanwhile, until ctx ends.
func (d *enrolment) report(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-d.book.due:
		}
		pause(ctx, rand.N(reportSpread))
		d.fetchAgain(ctx)
		for failures := 0; ctx.Err() == nil; failures++ {
			err := d.tellJournal(ctx)
			if err == nil {
				break
			}
			if !d.outage.met(err) && failures&(failures-1) == 0 {
				d.log.Warn("the server cannot be told what was used while it was away", "err", err, "entries", d.book.left())
			}
			select {
			case <-ctx.Done():
			case <-d.book.due:
			case <-time.After(d.sessions.again(failures)):
			}
		}
	}
}

// tellJournal tells the server of all entries that are left.
func (d *enrolment) tellJournal(ctx context.Context) error {
	for {
		lines, err := d.book.first(api.MaxJournal)
		if err != nil || len(lines) == 0 {
			return err
		}
		lines = fitting(lines)
		recorded, err := d.keepJournal(ctx, lines)
		if hasStatus(err, http.StatusUnprocessableEntity) || hasStatus(err, http.StatusBadRequest) {
			d.failures.add(err)
			d.log.Error("the server refuses what was written down while it was away: it is put aside", "path", d.book.path, "err", err)
			return d.book.refused()
		}
		if err != nil {
			return err
		}
		d.log.Info("told the server what was used while it was away", "entries", len(lines), "new", recorded)
		if err := d.book.told(len(lines)); err != nil {
			return err
		}
	}
}

// maxTold is how long what is told at once may be, in bytes.
const maxTold = 1 << 20

// fitting returns the first of the lines that are not too long together.
func fitting(lines []string) []string {
	size := 0
	for i, line := range lines {
		if size += len(line); size > maxTold && i > 0 {
			return lines[:i]
		}
	}
	return lines
}

// keepJournal tells the server of some entries. It takes them of a session that has
// ended, too: whoever is cut off has no other.
func (d *enrolment) keepJournal(ctx context.Context, lines []string) (recorded int, err error) {
	tell := func(by client.Attester) (int, error) { return d.client.KeepJournal(ctx, d.key.AgentID, lines, by) }
	if now := d.sessions.get(); now.id != "" {
		if recorded, err = tell(d.sessions.attester(now)); !unauthorized(err) {
			return recorded, err
		}
	}
	return inSession(ctx, d.sessions, tell)
}

// fetchAgain gets anew what was held when the server was heard again: what happened
// meanwhile was not. It is held no longer than before.
func (d *enrolment) fetchAgain(ctx context.Context) {
	by := client.CallerContext{PID: os.Getpid(), BinarySHA256: d.hash, Hostname: d.hostname}
	for name, was := range d.holds.takeStale() {
		p, err := d.projects.of(name)
		if err != nil {
			return
		}
		got, _, err := d.fetch(ctx, p, wish{names: was.names}, by)
		got.Wipe()
		if err != nil {
			d.heed(name, err)
			d.log.Warn("what was held is not any more", "project", name, "err", err)
			continue
		}
		d.holds.shorten(name, was.until)
	}
}
