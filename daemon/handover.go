package daemon

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// asked returns the variables that a request asks for beside its names.
func asked(req ipc.Request) (names []string) {
	for _, a := range req.Aliases {
		_, alias, _ := strings.Cut(a, "=")
		names = append(names, alias)
	}
	return slices.Concat(names, req.SSH, handed(req))
}

// handed returns the variables whose values the program gets in files and on its
// standard input.
func handed(req ipc.Request) (names []string) {
	for _, f := range req.Files {
		name, _, _ := strings.Cut(f, "=")
		names = append(names, name)
	}
	if req.Stdin != "" {
		names = append(names, req.Stdin)
	}
	return names
}

// handOver gives the program the values that it gets in files and on its standard
// input: all of them, as it could not tell a file or an input that is missing from
// one that was never meant.
func handOver(spec *spawn.Spec, req ipc.Request, got gift) error {
	for _, name := range handed(req) {
		if _, ok := got.values[name]; !ok {
			return noValue(req.Project, name, got)
		}
	}
	for _, f := range req.Files {
		name, variable, _ := strings.Cut(f, "=")
		spec.Files = append(spec.Files, spawn.Secret{Name: variable, Value: got.values[name]})
	}
	if req.Stdin != "" {
		spec.Stdin = new(got.values[req.Stdin])
	}
	return nil
}

// noValue says why there is nothing to hand over.
func noValue(project, name string, got gift) error {
	if _, ok := got.keys[name]; ok {
		return client.WithHint(fmt.Errorf("%s is an SSH key, which stays in the vault", name), "to give the command an agent for the key: --ssh "+name)
	}
	err := fmt.Errorf("the vault has no secret %s for project %s", name, project)
	if got.waiting != "" {
		return client.WithHint(err, "it may have to be approved: cortex grant show "+got.waiting)
	}
	return client.WithHint(err, "an administrator makes it: cortex secret create "+strings.ToLower(name))
}

// needles returns what is kept out of what the program prints.
func needles(spec spawn.Spec, req ipc.Request, got gift) []spawn.Secret {
	all := slices.Clone(spec.Secrets)
	for _, name := range handed(req) {
		all = append(all, spawn.Secret{Name: name, Value: got.values[name]})
	}
	return all
}
