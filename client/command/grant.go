package command

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/pinned"
)

func grant() noun {
	return noun{"grant", "decide what agents ask for", "cortex grant approve 0ebc2b1f-8f35-4c1b-9f0e-6f5a3c1d2e4f", verbs{
		grantList, grantShow, grantApprove, grantDeny, grantDelete,
	}}
}

func grantList() *cli.Command {
	var all bool
	var wait time.Duration
	return listVerb(&cli.Command{
		Usage: "list what waits for a decision, newest first",
		Description: `Examples:
   cortex grant list --wait 1h
   cortex grant list --all --limit 20`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "also what was decided", Destination: &all},
			&cli.DurationFlag{Name: "wait", Usage: "unless something waits, wait `HOW-LONG` for it", Destination: &wait},
		},
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.PendingGrant, error] {
		if err := awaitPending(ctx, c, wait); err != nil {
			return whole[api.PendingGrant](nil, err)
		}
		return only(c.AllPendingGrants(ctx), func(p api.PendingGrant) bool { return all || isPending(p) })
	}, table[api.PendingGrant]{"ID\tAGENT\tPROJECT\tNAMESPACE\tSTATUS\tASKED\tVARIABLES\tCOMMAND", func(p api.PendingGrant) []string {
		return []string{
			p.ID, p.AgentID, p.ProjectName, p.Namespace, p.Status, p.RequestedAt.String(), strings.Join(p.RequestedKeys, " "),
			short(commandLine(api.Pin{Command: p.Command})),
		}
	}})
}

// showWeak says what of a command whoever starts it can change.
func showWeak(w io.Writer, c *api.Command) error {
	if c == nil {
		return nil
	}
	measured := pinned.Command{Program: c.Program, Interpreter: c.Interpreter, Dir: c.Dir, Files: pinnedFiles(c.Files)}
	for _, token := range c.Weak {
		if err := writeFields(w, "weak", measured.Explain(token)); err != nil {
			return err
		}
	}
	return nil
}

func isPending(p api.PendingGrant) bool { return p.Status == api.StatusPending }

// awaitPending waits until something waits for a decision, or the time is over.
func awaitPending(ctx context.Context, c *client.Client, wait time.Duration) error {
	end := time.Now().Add(wait)
	version := ""
	for left := wait; left > 0; left = time.Until(end) {
		now := left
		if version == "" {
			now = 0 // what there is, at once
		}
		list, err := c.WaitPending(ctx, version, min(now, time.Minute))
		if err != nil || slices.ContainsFunc(list.Grants, isPending) {
			return err
		}
		version = list.Version
	}
	return nil
}

// only yields the rows that is picks.
func only[R any](rows iter.Seq2[R, error], is func(R) bool) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for r, err := range rows {
			if (err != nil || is(r)) && !yield(r, err) {
				return
			}
		}
	}
}

// findPending returns the request of an id, or the one of a project: of those
// that wait, or of all.
func findPending(ctx context.Context, c *client.Client, name string, decided bool) (api.PendingGrant, error) {
	return pick(c.AllPendingGrants(ctx), "grant", name, func(p api.PendingGrant) bool {
		return p.ID == name || p.ProjectName == name && (decided || isPending(p))
	})
}

func grantShow() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name: "show", ArgsUsage: "GRANT",
		Usage: "show which secret each variable would get, or got",
		Description: `GRANT is an id, or a project of which one request waits.

Example:
   cortex grant show my-app`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		p, err := findPending(ctx, c, cmd.Args().First(), false)
		if err != nil {
			return err
		}
		if f.json {
			return writeJSON(cmd.Root().Writer, p)
		}
		if err := writeFields(cmd.Root().Writer, "id", p.ID, "agent", p.AgentID, "project", p.ProjectName, "namespace", p.Namespace,
			"status", p.Status, "asked", p.RequestedAt.String(), "source", textOr(p.SourceIP),
			"decided", timeOr(p.DecidedAt), "by", textOr(p.DecidedBy), "until", timeOr(p.AutoApprovalUntil)); err != nil {
			return err
		}
		if err := writeShown(cmd.Root().Writer, commandFields(p.Command)...); err != nil {
			return err
		}
		if err := showWeak(cmd.Root().Writer, p.Command); err != nil {
			return err
		}
		return requestedVariables(p).write(cmd.Root().Writer, p.RequestedKeys)
	})
}

// requestedVariables shows what became of each variable of a request.
func requestedVariables(p api.PendingGrant) table[string] {
	return table[string]{"VARIABLE\tSECRET\tWHY\tAPPROVED", func(name string) []string {
		row := []string{name, "", "", mark(slices.Contains(p.ApprovedKeys, name), "yes")}
		for _, item := range p.Items {
			if item.EnvVarName == name {
				row[1], row[2] = item.KeyPath, item.Kind
			}
		}
		return row
	}}
}

func grantApprove() *cli.Command {
	var f adminFlags
	var some []string
	var remap map[string]string
	var days int
	var pin bool
	return f.verb(&cli.Command{
		Name: "approve", ArgsUsage: "GRANT",
		Usage: "let an agent have what it asks for, or a part of it",
		Description: `GRANT is an id, or a project of which one request waits. What is left out, the agent is
told to be unmatched.

Examples:
   cortex grant approve my-app
   cortex grant approve my-app --pin-command
   cortex grant approve my-app --only DATABASE_URL --remap DATABASE_URL=db/read_only --days 7`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "only", Usage: "approve the `VARIABLE`, or several, and no other", Destination: &some},
			&cli.StringMapFlag{Name: "remap", Usage: "give a variable another secret: `VARIABLE=SECRET`", Destination: &remap},
			&cli.BoolFlag{Name: "pin-command", Usage: "and for the command that it shows, and no other that nobody approves", Destination: &pin},
			&cli.IntFlag{Name: "days", Usage: "ask nobody again for `N` days, 1 to 365", DefaultText: "30", Destination: &days},
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		p, err := findPending(ctx, c, cmd.Args().First(), false)
		if err != nil {
			return err
		}
		out, err := c.ApproveGrant(ctx, p.ID, api.ApproveGrant{
			ApprovedKeys: given(cmd, "only", withoutEmpty(some)), Remap: remap, AutoApprovalDays: given(cmd, "days", days), Pin: pin,
		})
		if err != nil {
			return about("grant", p.ID, err)
		}
		lines := []string{fmt.Sprintf("agent %s may have %s for project %s, until %s",
			printable(p.AgentID), printableNames(out.ApprovedKeys), printable(p.ProjectName), out.AutoApprovalUntil)}
		if pin && p.Command != nil {
			lines = append(lines, fmt.Sprintf("project %s may run %s, and what else is approved", printable(p.ProjectName), printable(commandLine(api.Pin{Command: p.Command}))))
		}
		return f.answer(cmd, out, lines...)
	})
}

// oneRequest makes a verb that does one thing to one request: decided says whether it may be
// one that was decided.
func oneRequest[A any](f *adminFlags, cmd *cli.Command, decided bool, do func(context.Context, *client.Client, api.PendingGrant) (A, error), done func(api.PendingGrant, A) string) *cli.Command {
	cmd.ArgsUsage = "GRANT"
	return oneOf(f, cmd, "grant", func(ctx context.Context, c *client.Client, args []string) (api.PendingGrant, error) {
		return findPending(ctx, c, args[0], decided)
	}, do, done)
}

func grantDeny() *cli.Command {
	var f adminFlags
	return oneRequest(&f, &cli.Command{
		Name: "deny", Usage: "say no to an agent, until the decision is deleted",
		Description: `GRANT is an id, or a project of which one request waits.

Example:
   cortex grant deny my-app`,
	}, false, func(ctx context.Context, c *client.Client, p api.PendingGrant) (api.DeniedGrant, error) {
		return c.DenyGrant(ctx, p.ID)
	}, func(p api.PendingGrant, _ api.DeniedGrant) string {
		return fmt.Sprintf("denied %s to agent %s for project %s; to have it asked again: %s",
			printableNames(p.RequestedKeys), printable(p.AgentID), printable(p.ProjectName), f.next("cortex grant delete "+printableID(p.ID)))
	})
}

func grantDelete() *cli.Command {
	return oneRequest(&adminFlags{}, &cli.Command{
		Name: "delete", Usage: "forget a request or a decision, and end the token that rests on it",
		Description: `GRANT is an id, or a project of which there is one request, decided or not.

Example:
   cortex grant delete my-app`,
	}, true, func(ctx context.Context, c *client.Client, p api.PendingGrant) (api.DeletedID, error) {
		return c.DeletePendingGrant(ctx, p.ID)
	}, func(p api.PendingGrant, _ api.DeletedID) string {
		return fmt.Sprintf("forgot what agent %s asked for project %s; it was %s", printable(p.AgentID), printable(p.ProjectName), printable(p.Status))
	})
}
