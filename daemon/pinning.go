package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// A look at a command is taken once, if anybody wants to know what it is. The zero
// value is of none.
type look struct{ take func() (measurement, error) }

// look returns a look at what is to be run for a client.
func (d *Daemon) look(spec spawn.Spec, p *peer.Peer) look {
	return look{sync.OnceValues(func() (measurement, error) { return d.measure(spec, d.rightsOf(p)) })}
}

// measured returns what the command is.
func (l look) measured() (measurement, error) {
	if l.take == nil {
		return measurement{}, fmt.Errorf("%w: it is none", errMeasure)
	}
	return l.take()
}

// said returns what the server is told with a request for a token, nil where it cannot
// be told. That may not matter to it.
func (l look) said() []byte {
	m, err := l.measured()
	if err != nil {
		return nil
	}
	return m.command.Encode()
}

// asPinned asks the server for something of a project, on behalf of by: and says what
// command that is for, where the server wants to know. It may be asked twice, if it wants
// to know since a moment ago.
func asPinned[T any](p *project, l look, by client.CallerContext, ask func(client.CallerContext) (T, error)) (answer T, exact *spawn.Exact, err error) {
	mode := p.commandsAre()
	if mode == "" {
		if answer, err = ask(by); notPinned(err) == nil {
			return answer, nil, err
		}
		mode = api.CommandsEnforce
		p.commandsBecome(mode)
	}
	m, err := l.measured()
	switch {
	case err == nil:
		by.Command = m.command.Encode()
		if answer, err = ask(by); err == nil {
			p.runs(m.command)
		}
		return answer, m.exact, explainPinned(err, p.name)
	case mode == api.CommandsEnforce:
		return answer, nil, err
	default: // it runs as ever, and is not on the record
		answer, err = ask(by)
		return answer, nil, err
	}
}

// pin makes what is to be run what was approved, and nothing else: the files that were
// looked at, and no variable that makes programs run other code.
func (j *job) pin(spec *spawn.Spec, got gift) error {
	spec.Exact = got.exact
	switch {
	case got.pin == nil:
		return nil
	case got.exact == nil:
		return fmt.Errorf("%w: the server says it is pinned, and was told of none", errMeasure)
	}
	spec.Exact.EmptyHome = len(j.cfg.Spawners) > 0
	if err := mayCall(j.req, got.pin.Env); err != nil {
		return err
	}
	p, err := j.projects.of(j.req.Project)
	if err != nil {
		return err
	}
	env, gone, dirs := j.rightsOf(j.c.peer).strip(spec.Env, got.pin.Env, got.exact.Dir)
	spec.Env = env
	gone, dirs = p.stripped.news(j.c.peer.UID, gone), p.strippedPath.news(j.c.peer.UID, dirs)
	if len(gone)+len(dirs) > 0 {
		j.c.answer(ipc.Response{OK: true, Stripped: gone, StrippedPath: dirs})
	}
	return nil
}

// mayCall refuses names for secrets that nobody approved: it would be the caller who
// decides which variable of the program, or whether its input, holds a value.
func mayCall(req ipc.Request, approved []string) error {
	if req.Stdin != "" {
		return client.WithHint(errors.New("this command is pinned: nothing of the project can be its standard input"),
			"have it read "+req.Stdin+" from its environment")
	}
	for _, name := range renames(req) {
		switch {
		case pinned.InEnv(pinned.DefaultEnv, name) || pinned.LoadsCode(name):
			return fmt.Errorf("this command is pinned: %s cannot be one of its secrets", name)
		case !slices.Contains(approved, name):
			return client.WithHint(fmt.Errorf("this command is pinned: %s cannot be one of its secrets, as its pin does not name that variable", name),
				"use the names that the vault has, or have an administrator approve the command with --env "+name)
		}
	}
	return nil
}

// renames returns the variables by which a request, and not the vault, calls a secret.
func renames(req ipc.Request) (names []string) {
	for _, a := range req.Aliases {
		name, _, _ := strings.Cut(a, "=")
		names = append(names, name)
	}
	for _, list := range [][]string{req.Files, req.Templates} {
		for _, f := range list {
			_, name, _ := strings.Cut(f, "=")
			names = append(names, name)
		}
	}
	return names
}

// plainPath reports whether a path is nothing but one, wherever it stands in an argument
// or a variable: whoever starts a command names the files for its templates, and nobody
// approved that.
func plainPath(path string) bool {
	return path != "" && path[0] != '-' && wordOf(path, "._/-")
}

// notPinned returns the error that says which command was not approved, nil if err is
// another one.
func notPinned(err error) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok && errors.Is(e, api.CommandNotPinned) {
		return e
	}
	return nil
}

// tellPin returns r with what is to be approved of a command.
func (d *enrolment) tellPin(r ipc.Response, e *api.Error) ipc.Response {
	r.ErrorCode, r.ServerURL, r.Why = ipc.NotPinned, d.client.URL(), e.Message
	if e.Details != nil {
		r.PinID, r.Why = e.Details.PinID, e.Details.Why
	}
	return r
}

// explainPinned says what to do about a command that was not approved.
func explainPinned(err error, project string) error {
	e := notPinned(err)
	switch {
	case e == nil:
		return err
	case e.Details != nil && e.Details.Why == pinned.WhyDenied:
		return client.WithHint(err, "the denial holds for this command in every directory, until an administrator removes it: cortex pin remove "+project+" "+e.Details.PinID)
	case e.Details == nil || e.Details.PinID == "":
		return client.WithHint(err, "too many commands wait for a decision: an administrator sees them with cortex pin list "+project)
	}
	return client.WithHint(err, "an administrator approves it: cortex pin approve "+project+" "+e.Details.PinID)
}
