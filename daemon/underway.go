package daemon

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// An underway is a request for a program, from before it gets any values until
// its end.
type underway struct {
	project string
	names   []string // that it asked for; nil if nobody knows
	end     context.CancelCauseFunc
}

func newUnderway(req ipc.Request, end context.CancelCauseFunc) *underway {
	u := &underway{project: req.Project, end: end}
	if req.Names != nil && len(req.Templates) == 0 {
		u.names = slices.Concat(*req.Names, asked(req))
	}
	return u
}

// has reports whether one of the variables may be among those of the program; no
// variables are all of them.
func (u *underway) has(variables []string) bool {
	if len(variables) == 0 || u.names == nil {
		return true
	}
	return slices.ContainsFunc(u.names, func(name string) bool {
		return slices.ContainsFunc(variables, func(v string) bool { return strings.EqualFold(name, v) })
	})
}

// allUnderway are the requests that are being served. The zero value is empty.
type allUnderway struct {
	mu  sync.Mutex // guards set
	set map[*underway]struct{}
}

// add adds one until the function it returns is called.
func (a *allUnderway) add(u *underway) (remove func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.set == nil {
		a.set = map[*underway]struct{}{}
	}
	a.set[u] = struct{}{}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.set, u)
	}
}

// projects are the names of those that something is underway of.
func (a *allUnderway) projects() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := map[string]bool{}
	for u := range a.set {
		names[u.project] = true
	}
	return names
}

func (a *allUnderway) all() []*underway {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]*underway, 0, len(a.set))
	for u := range a.set {
		all = append(all, u)
	}
	return all
}
