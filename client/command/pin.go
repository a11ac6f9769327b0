package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func pinNoun() noun {
	return noun{"pin", "decide which commands get a project's secrets", "cortex pin approve my-app 0ebc2b1f-8f35-4c1b-9f0e-6f5a3c1d2e4f", verbs{
		pinList, pinShow, pinApprove, pinDeny, pinAdd, pinRemove,
	}}
}

func pinList() *cli.Command {
	var f adminFlags
	var namespace string
	var waiting bool
	return f.verb(&cli.Command{
		Name: "list", ArgsUsage: "PROJECT",
		Usage: "list the commands of a project, and what was decided on them, newest first",
		Description: `Where the project learns or enforces (cortex project settings PROJECT --commands), the commands
that nobody approved are here: learned ones were run, and asked ones refused.

Examples:
   cortex pin list my-app
   cortex pin list my-app --waiting`,
		Flags: []cli.Flag{
			projectNamespace(&namespace),
			&cli.BoolFlag{Name: "waiting", Usage: "those that nobody decided on", Destination: &waiting},
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		name := cmd.Args().First()
		rows, err := first(only(c.AllPins(ctx, namespace, name), func(p api.Pin) bool { return !waiting || undecided(p) }), 0)
		if err != nil {
			return about("project", name, whichNamespace(err, namespace))
		}
		return showRows(&f, cmd, rows, table[api.Pin]{"ID\tSTATUS\tWEAK\tAGENT\tLAST ASKED\tDIRECTORY\tCOMMAND", func(p api.Pin) []string {
			return []string{p.ID, p.Status, mark(len(p.Weakness) > 0, "weak"), p.AgentID, p.LastAsked.String(), short(commandDir(p)), short(commandLine(p))}
		}})
	})
}

func undecided(p api.Pin) bool { return p.Status == api.StatusLearned || p.Status == api.StatusAsked }

// maxShort is how much of a command a list shows, in characters.
const maxShort = 100

// short returns the beginning of a line, and says how much more there is.
func short(line string) string {
	if r := []rune(line); len(r) > maxShort {
		return fmt.Sprintf("%s… (%d more)", string(r[:maxShort-1]), len(r)-maxShort+1)
	}
	return line
}

// commandLine returns what a pin is about in one line, as a shell would read it.
func commandLine(p api.Pin) string {
	if c := p.Command; c != nil {
		return shellLine(c.Program, c.Args)
	}
	switch rule := p.Pin; {
	case rule == nil:
		return ""
	case rule.Program == "":
		return "any program in " + strings.Join(rule.Dirs, " or ")
	default:
		return shellLine(rule.Program, rule.Args)
	}
}

// commandDir returns the directories that a pin is about.
func commandDir(p api.Pin) string {
	switch {
	case p.Pin != nil && len(p.Pin.Dirs) > 0:
		return strings.Join(p.Pin.Dirs, " or ")
	case p.Pin != nil:
		return "any"
	case p.Command != nil:
		return p.Command.Dir
	}
	return ""
}

func shellLine(program string, args []string) string {
	line := shellWord(program)
	for _, a := range args {
		line += " " + shellWord(a)
	}
	return line
}

// findPins returns the pins of a project that a command line names, by ids or what they
// begin with.
func (f *adminFlags) findPins(ctx context.Context, c *client.Client, namespace, project string, names []string) (found []api.Pin, err error) {
	all, err := first(c.AllPins(ctx, namespace, project), 0)
	if err != nil {
		return nil, about("project", project, whichNamespace(err, namespace))
	}
	for _, name := range names {
		p, err := pick(whole(all, nil), "pin", name, func(p api.Pin) bool {
			return p.ID == name || len(name) >= 8 && strings.HasPrefix(p.ID, name)
		})
		if errors.Is(err, api.NotFound) {
			err = client.WithHint(err, "to see what there is: "+f.next("cortex pin list "+shellWord(project)))
		}
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

func pinShow() *cli.Command {
	var f adminFlags
	var namespace string
	return f.verb(&cli.Command{
		Name: "show", ArgsUsage: "PROJECT PIN",
		Usage: "show a command with everything that was measured of it, and what a pin allows",
		Description: `PIN is an id, or 8 characters or more that it begins with.

Example:
   cortex pin show my-app 0ebc2b1f`,
		Flags: []cli.Flag{projectNamespace(&namespace)},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		found, err := f.findPins(ctx, c, namespace, cmd.Args().First(), cmd.Args().Slice()[1:2])
		if err != nil {
			return err
		}
		if f.json {
			return writeJSON(cmd.Root().Writer, found[0])
		}
		return showPin(cmd.Root().Writer, found[0])
	})
}

// onePin makes a verb that does one thing to one pin.
func onePin[A any](f *adminFlags, cmd *cli.Command, do func(context.Context, *client.Client, api.Pin) (A, error), done func(api.Pin, A) string) *cli.Command {
	var namespace string
	cmd.ArgsUsage = "PROJECT PIN"
	cmd.Flags = append(cmd.Flags, projectNamespace(&namespace))
	return oneOf(f, cmd, "pin", func(ctx context.Context, c *client.Client, args []string) (api.Pin, error) {
		found, err := f.findPins(ctx, c, namespace, args[0], args[1:])
		if err != nil {
			return api.Pin{}, err
		}
		return found[0], nil
	}, do, done)
}

func pinDeny() *cli.Command {
	var f adminFlags
	return onePin(&f, &cli.Command{
		Name: "deny", Usage: "refuse a command in every directory, whatever other pins allow, until the pin is removed",
		Description: `What is refused is the program with these arguments, in whatever directory, and whatever is in its
files by now. Other arguments, and a copy of the program, are other commands.

Example:
   cortex pin deny my-app 0ebc2b1f`,
	}, func(ctx context.Context, c *client.Client, p api.Pin) (api.DeniedGrant, error) {
		return c.DenyPin(ctx, p.ProjectName, p.ID)
	}, func(p api.Pin, _ api.DeniedGrant) string {
		return fmt.Sprintf("project %s refuses %s; to have it asked again: %s", printable(p.ProjectName), printable(commandLine(p)),
			f.next("cortex pin remove "+shellWord(p.ProjectName)+" "+printableID(p.ID)))
	})
}

func pinRemove() *cli.Command {
	return onePin(&adminFlags{}, &cli.Command{
		Name: "remove", Usage: "forget a command, and what was decided on it",
		Description: `Example:
   cortex pin remove my-app 0ebc2b1f`,
	}, func(ctx context.Context, c *client.Client, p api.Pin) (api.DeletedID, error) {
		return c.DeletePin(ctx, p.ProjectName, p.ID)
	}, func(p api.Pin, _ api.DeletedID) string {
		return fmt.Sprintf("forgot %s of project %s; it was %s", printable(commandLine(p)), printable(p.ProjectName), printable(p.Status))
	})
}

// errNoPin is about a command line that names nothing to approve.
var errNoPin = errors.New("missing PIN: name some, or say --all")

// toApprove returns the pins that a command line names, or all that nobody decided on.
func (f *adminFlags) toApprove(ctx context.Context, cmd *cli.Command, c *client.Client, namespace string, all bool) ([]api.Pin, error) {
	project, names := cmd.Args().First(), cmd.Args().Tail()
	switch {
	case all && len(names) > 0:
		return nil, usage(cmd, errors.New("--all is for all, and PIN for some"))
	case all:
		rows, err := first(only(c.AllPins(ctx, namespace, project), undecided), 0)
		return rows, about("project", project, whichNamespace(err, namespace))
	case len(names) == 0:
		return nil, usage(cmd, errNoPin)
	}
	return f.findPins(ctx, c, namespace, project, names)
}

// sayWeak says of a pin why it is weak.
func sayWeak(cmd *cli.Command, p api.Pin) {
	for _, why := range p.Weakness {
		say(cmd, "cortex: warning: weak: %s", printable(why))
	}
}
