package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/vault/dotenv"
)

// runNames are the flags of run that say which variables the command gets.
type runNames struct {
	listed    []string // in place of those in a file, unless nil
	only      []string
	aliases   []string // NAME=ALIAS
	ssh       []string // variables of keys, for an agent
	noInherit bool
}

// check refuses aliases that cannot be meant. It quotes nothing: who takes --env
// for that of other programs has written a value there.
func (n runNames) check() error {
	for _, name := range n.listed {
		if !isVariable(name) {
			return errors.New("bad names: a name is of letters, digits and underscores, and begins with no digit")
		}
	}
	var names []string
	for _, a := range n.aliases {
		name, alias, ok := strings.Cut(a, "=")
		if !ok || !isVariable(name) || !isVariable(alias) {
			return errors.New("bad --env: write NAME=ALIAS, two names of letters, digits and underscores; a value has no place there")
		}
		if slices.Contains(names, name) {
			return fmt.Errorf("--env gives %s twice", name)
		}
		names = append(names, name)
	}
	if slices.ContainsFunc(n.ssh, func(name string) bool { return !isVariable(name) }) {
		return errors.New("bad --ssh: name the variable that the vault has the key as, such as DEPLOY_KEY")
	}
	return nil
}

// isVariable is stricter than a .env file is, because it is sent away.
func isVariable(name string) bool {
	for i, c := range name {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// choose returns the entries to ask for: those that --only names, if it does, and
// none that --env has from elsewhere.
func (n runNames) choose(entries []dotenv.Entry) ([]dotenv.Entry, error) {
	names := dotenv.EntryNames(entries)
	for _, name := range n.only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--only: %s is none of the names in the file", printableNames([]string{name}))
		}
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e dotenv.Entry) bool {
		elsewhere := func(a string) bool { return strings.HasPrefix(a, e.Name+"=") }
		return len(n.only) > 0 && !slices.Contains(n.only, e.Name) || slices.ContainsFunc(n.aliases, elsewhere)
	}), nil
}

// inherit returns the variables that the command inherits.
func (n runNames) inherit(env []string) []string {
	if !n.noInherit {
		return env
	}
	return slices.DeleteFunc(env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(basic, name) && !strings.HasPrefix(name, "LC_")
	})
}

// basic are the variables that a command has with --no-inherit: where and as whom
// it runs, and how it speaks to people.
var basic = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TERM", "COLORTERM", "LANG", "LANGUAGE", "TZ"}

// needed returns the names, sorted, each once, that have no value in the file nor
// in the environment, and all that --env asks for: if the vault has none either,
// somebody should hear of it.
func (n runNames) needed(entries []dotenv.Entry, env []string) []string {
	var names []string
	for _, e := range entries {
		set := func(v string) bool { return strings.HasPrefix(v, e.Name+"=") }
		if e.Blank && !slices.ContainsFunc(env, set) {
			names = append(names, e.Name)
		}
	}
	for _, a := range n.aliases {
		_, alias, _ := strings.Cut(a, "=")
		names = append(names, alias)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
