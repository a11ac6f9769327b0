package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A wish is what a run asks for: names, sorted, each once, and those of them
// that the program does not get from elsewhere.
type wish struct {
	names, needed []string
	all           bool // to know what else the token opens, too: a template may hold it
	look          look // at the command
}

// A gift is what a run gets.
type gift struct {
	values  map[string]opaque.Bytes // wipe them
	keys    map[string]api.SSHKey   // those that stay in the vault
	texts   map[string]opaque.Bytes // of templates, by PATH=VARIABLE; wipe them
	missing []string                // needed names that have no value
	waiting string                  // the grant id, if some of these wait for approval

	unmaskable bool // the program may print what it wants

	offline *ipc.Offline    // of what was held; nil of what the server gave
	exact   *spawn.Exact    // the files that it is for; nil for any
	pin     *api.AllowedPin // that allows the command, if commands have to be allowed
}

func (g gift) wipe() {
	for _, v := range g.values {
		v.Wipe()
	}
	for _, v := range g.texts {
		v.Wipe()
	}
}

// values returns the values of names that the project may have.
func (d *enrolment) values(ctx context.Context, project string, w wish, by client.CallerContext) (gift, error) {
	p, err := d.projects.of(project)
	if err != nil {
		return gift{}, err
	}
	got, t, err := d.fetch(ctx, p, w, by)
	if t != nil && (unauthorized(err) || withholds(got.Secrets, w.names)) {
		// The token ended, the session did, or the token no longer opens what
		// it did: asking for a new one will tell, and puts it right or says
		// what waits for approval. Once, and nobody need know.
		p.drop(t)
		d.holds.forget(project)
		anew, next, errAnew := d.fetch(ctx, p, w, by)
		if err == nil && tooSoon(errAnew) {
			p.restore(t) // what came is what there is, for now
		} else {
			got.Wipe()
			got, t, err = anew, next, errAnew
		}
	}
	if err != nil {
		return gift{}, err
	}
	if len(got.Withheld) > 0 {
		d.log.Warn("the server withholds secrets", "project", project, "names", got.Withheld)
	}
	g := gift{values: got.Values, keys: got.SSHKeys, missing: t.missing(w.needed), waiting: t.waiting, unmaskable: t.unmaskable, exact: got.exact, pin: got.Pin}
	for _, name := range got.Withheld {
		if slices.Contains(w.needed, name) {
			g.missing = append(g.missing, name)
		}
	}
	return g, nil
}

// withholds reports whether some of the names are withheld.
func withholds(got client.Secrets, names []string) bool {
	return slices.ContainsFunc(got.Withheld, func(name string) bool { return slices.Contains(names, name) })
}

// fetched is what the server gave, and the files that it is for, nil for any.
type fetched struct {
	client.Secrets
	exact *spawn.Exact
}

// fetch asks for the values once, and returns the token it had, nil without.
func (d *enrolment) fetch(ctx context.Context, p *project, w wish, by client.CallerContext) (fetched, *token, error) {
	t, s, err := d.credentials(ctx, p, w)
	if err != nil {
		return fetched{}, nil, err
	}
	began := d.holds.begin()
	all, exact, err := asPinned(p, w.look, by, func(by client.CallerContext) (client.Secrets, error) {
		all, err := d.client.ProjectSecrets(ctx, p.name, t.value, s, by)
		if err != nil {
			err = fmt.Errorf("fetching the secrets of project %s: %w", p.name, err)
		}
		return all, err
	})
	if err != nil {
		return fetched{}, t, err
	}
	p.commandsBecome(all.Commands)
	if all.Commands != api.CommandsEnforce {
		d.hold(p.name, began, t, all)
	}
	if !w.all {
		all.Values = only(all.Values, w.names)
	}
	return fetched{all, exact}, t, nil
}

// credentials returns what the server is asked with for a project.
func (d *enrolment) credentials(ctx context.Context, p *project, w wish) (*token, client.Attester, error) {
	t, err := d.token(ctx, p, w)
	if err != nil {
		return nil, nil, err
	}
	s, err := d.sessions.current(ctx)
	if err != nil {
		return nil, nil, err
	}
	return t, d.sessions.attester(s), nil
}

// only returns the values of names and wipes the others.
func only(all map[string]opaque.Bytes, names []string) map[string]opaque.Bytes {
	maps.DeleteFunc(all, func(name string, v opaque.Bytes) bool {
		_, wanted := slices.BinarySearch(names, name)
		if !wanted {
			v.Wipe()
		}
		return !wanted
	})
	return all
}

func unauthorized(err error) bool { return hasStatus(err, http.StatusUnauthorized) }

// tooSoon reports whether the server was asked too often.
func tooSoon(err error) bool { return hasStatus(err, http.StatusTooManyRequests) }

func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*api.Error](err)
	return ok && e.Status == status
}
