package command

import (
	"slices"

	"github.com/urfave/cli/v3"
)

// A Verb is a command by its name, made where a command line needs it.
type Verb struct {
	Name string
	Make func() *cli.Command
}

// Needed makes the commands that a command line can lead to: the one that its
// first word names, or else all. To make all of them takes a good part of the time
// that a short command has.
func Needed(args []string, verbs ...Verb) (commands []*cli.Command) {
	if len(args) > 1 {
		for _, v := range verbs {
			if v.Name == args[1] {
				return []*cli.Command{v.Make()}
			}
		}
	}
	for _, v := range verbs {
		commands = append(commands, v.Make())
	}
	return commands
}

// Verbs returns those that cortex-cli and cortex share, besides the daemon's, for a
// command line. Those of nouns that are not on it are left out.
func Verbs(args []string) []Verb {
	return slices.Concat([]Verb{
		{"run", runCommand},
		{"allow", allow},
		{"redact", redact},
		{"install", installGroup},
		{"doctor", doctor},
		{"gen-key", genKey},
		{"sign-proof", signProof},
		{"discover", discover},
	}, admin(args), []Verb{
		{"login", accountLogin},
		{"logout", accountLogout},
		{"whoami", whoAmI},
		{"change-password", changePassword},
		{"rotate-key", rotateKey},
		{"rotate-signing-key", rotateSigningKey},
		{"shamir", shamir},
		{"seal", sealCommand},
		{"unseal", unsealCommand},
		{"seal-status", sealStatus},
	})
}
