package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/proof"
)

// runNames are the flags of run that say which variables the command gets.
type runNames struct {
	listed        []string // in place of those in a file, unless nil
	only          []string
	aliases       []string // NAME=ALIAS
	files         []string // NAME=VARIABLE, the latter for a path
	templates     []string // PATH=VARIABLE
	templateFiles []string // VARIABLE=PATH, the former of a template
	stdin         string   // the variable to read as standard input, "" for none
	ssh           []string // variables of keys, for an agent
	noInherit     bool
}

// check refuses what cannot be meant. It quotes nothing: who takes --env for that
// of other programs has written a value there.
func (n runNames) check() error {
	for _, name := range n.listed {
		if !isVariable(name) {
			return errors.New("bad names: a name is of letters, digits and underscores, and begins with no digit")
		}
	}
	if err := n.checkGiven(); err != nil {
		return err
	}
	if n.stdin != "" && !isVariable(n.stdin) {
		return errors.New("bad --stdin: name the variable that the vault has the secret as, such as REGISTRY_PASSWORD")
	}
	if slices.ContainsFunc(n.ssh, func(name string) bool { return !isVariable(name) }) {
		return errors.New("bad --ssh: name the variable that the vault has the key as, such as DEPLOY_KEY")
	}
	return nil
}

// checkGiven refuses pairs that are none, and variables that are given twice.
func (n runNames) checkGiven() error {
	const rule = "two names of letters, digits and underscores; a value has no place there"
	if slices.ContainsFunc(n.aliases, notPair) {
		return errors.New("bad --env: write NAME=ALIAS, " + rule)
	}
	if slices.ContainsFunc(n.files, notPair) {
		return errors.New("bad --file: write NAME=VARIABLE, " + rule)
	}
	if slices.ContainsFunc(n.templates, notTemplate) {
		return errors.New("bad --template: write PATH=VARIABLE, a path of the vault, and a name of letters, digits and underscores")
	}
	if err := n.checkTemplateFiles(); err != nil {
		return err
	}
	given := n.given()
	for i, variable := range given {
		if slices.Contains(given[:i], variable) {
			return fmt.Errorf("%s is given twice", variable)
		}
	}
	return nil
}

// notPair reports whether a text is not two names.
func notPair(text string) bool {
	a, b, _ := strings.Cut(text, "=")
	return !isVariable(a) || !isVariable(b)
}

// notTemplate reports whether a text is not a path and a name.
func notTemplate(text string) bool {
	path, variable, _ := strings.Cut(text, "=")
	return !proof.ValidPath(path) || !isVariable(variable)
}

// given returns the variables that --env, --file and --template set.
func (n runNames) given() (variables []string) {
	for _, a := range n.aliases {
		name, _, _ := strings.Cut(a, "=")
		variables = append(variables, name)
	}
	for _, f := range slices.Concat(n.files, n.templates) {
		_, variable, _ := strings.Cut(f, "=")
		variables = append(variables, variable)
	}
	return variables
}

// handsOver reports whether the command gets secrets elsewhere than in its
// environment.
func (n runNames) handsOver() bool { return len(n.files)+len(n.templates) > 0 || n.stdin != "" }

// asks reports whether flags ask for secrets that no file names.
func (n runNames) asks() bool { return len(n.aliases) > 0 || len(n.ssh) > 0 || n.handsOver() }

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
// none that other flags have from elsewhere.
func (n runNames) choose(entries []dotenv.Entry) ([]dotenv.Entry, error) {
	names := dotenv.EntryNames(entries)
	for _, name := range n.only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--only: %s is none of the names in the file", printableNames([]string{name}))
		}
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e dotenv.Entry) bool {
		return len(n.only) > 0 && !slices.Contains(n.only, e.Name) || slices.Contains(n.given(), e.Name)
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
