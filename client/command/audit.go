package command

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func auditTrail() noun {
	return noun{"audit", "see what was done, and take it away as evidence", "cortex audit list --since 24h --status alarm", verbs{
		auditList, auditExport, auditHead,
	}}
}

// auditRows is what is shown where nobody says how many.
const auditRows = 100

func auditList() *cli.Command {
	var f adminFlags
	var filter client.AuditFilter
	var span spanFlags
	limit := auditRows
	return f.verb(&cli.Command{
		Name:  "list",
		Usage: "list what was done, newest first",
		Description: `What is not picked by any flag is all there is. --status refused picks what was refused for
any reason.

Examples:
   cortex audit list --since 24h --status alarm
   cortex audit list --project my-app --action get_secrets --limit 20`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "project", Usage: "what is about the project `NAME`", Destination: &filter.Project},
			&cli.StringFlag{Name: "agent", Usage: "what is about the agent `ID`", Destination: &filter.Agent},
			&cli.StringFlag{Name: "action", Usage: "one `ACTION`, such as get_secrets", Destination: &filter.Action},
			&cli.StringFlag{Name: "status", Usage: "what had this `OUTCOME`: success, denied, refused, failed, alarm", Destination: &filter.Status},
			&cli.IntFlag{Name: "limit", Usage: "show the first `N` at most, 0 for all", Value: auditRows, Destination: &limit},
		}, span.flags()...),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) (err error) {
		if filter.Since, filter.Until, err = span.read(cmd); err != nil {
			return err
		}
		rows, err := first(c.AllAuditLogs(ctx, filter), limit)
		if err != nil {
			return err
		}
		return showRows(&f, cmd, rows, auditTable())
	})
}

func auditTable() table[api.AuditRow] {
	return table[api.AuditRow]{"TIME\tACTION\tSTATUS\tBY\tAGENT\tPROJECT\tRESOURCE\tFROM", func(r api.AuditRow) []string {
		return []string{
			r.Timestamp.String(), r.Action, r.Status, actor(r.Actor), textOr(r.AgentID), textOr(r.ProjectName), textOr(r.ResourcePath), textOr(r.SourceIP),
		}
	}}
}

// actor says who acted: an account by its name, or by its id if it is gone, and
// others by their kind.
func actor(a *api.AuditActor) string {
	switch {
	case a == nil:
		return ""
	case a.Kind == "admin":
		return cmp.Or(a.Name, a.ID, a.Kind)
	}
	return a.Kind
}

// spanFlags are the flags for a span of time in the past.
type spanFlags struct{ since, until string }

func (s *spanFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "since", Usage: "not before `WHEN`: 24h or 7d ago, 2026-04-27, a time", Destination: &s.since},
		&cli.StringFlag{Name: "until", Usage: "before `WHEN`", Destination: &s.until},
	}
}

// read returns the two times; zero for what is not said.
func (s *spanFlags) read(cmd *cli.Command) (since, until time.Time, err error) {
	if since, err = readPast(s.since, time.Now()); err == nil {
		until, err = readPast(s.until, time.Now())
	}
	if err != nil {
		return since, until, usage(cmd, err)
	}
	return since, until, nil
}

// readPast reads when something was: so long ago, at a date or a time; the zero
// time if nothing is said.
func readPast(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := readDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.DateOnly, time.DateTime, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("bad time %q: write 24h, 7d, 2026-04-27, \"2026-04-27 18:40:00\" (UTC) or 2026-04-27T18:40:00Z", text)
}
