package command

import (
	"slices"

	"github.com/urfave/cli/v3"
)

// nouns returns what the verbs of an administrator are about.
func nouns() []noun {
	return []noun{
		secret(), agent(), grant(), pinNoun(), project(), policy(), namespace(),
		device(), session(), allowlist(), freeze(),
		user(), confirmation(), channel(), auditTrail(),
	}
}

// A noun is the group of the verbs about one thing.
type noun struct {
	name, usage, example string
	verbs                verbs
}

type verbs []func() *cli.Command

// admin returns the groups of an administrator's verbs. The verbs themselves are
// there for a noun that stands among args, the command line: to make all of them
// takes longer than all else a short command does before it starts.
func admin(args []string) (groups []Verb) {
	for _, n := range nouns() {
		groups = append(groups, Verb{n.name, func() *cli.Command { return n.group(slices.Contains(args, n.name)) }})
	}
	return groups
}

// group makes the group of a noun, and its verbs if they are wanted.
func (n noun) group(whole bool) *cli.Command {
	group := &cli.Command{Name: n.name, Usage: n.usage, Description: "Example:\n   " + n.example}
	if whole {
		for _, verb := range n.verbs {
			group.Commands = append(group.Commands, verb())
		}
	}
	return group
}
