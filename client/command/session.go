package command

import (
	"context"
	"fmt"
	"iter"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func session() noun {
	return noun{"session", "see the sessions of daemons, and end them", "cortex session list", verbs{
		sessionList, sessionEnd,
	}}
}

func sessionList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list the sessions of daemons, newest first, ended ones too",
		Description: `Example:
   cortex session list --limit 20`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.DaemonSession, error] {
		return c.AllDaemonSessions(ctx)
	}, table[api.DaemonSession]{"SESSION\tAGENT\tHOST\tPID\tVERSION\tCREATED\tEXPIRES\tENDED", func(s api.DaemonSession) []string {
		return []string{s.SessionID, s.AgentID, textOr(s.Hostname), numberOr(s.DaemonPID), textOr(s.DaemonVersion), s.CreatedAt.String(), s.ExpiresAt.String(), timeOr(s.RevokedAt)}
	}})
}

func numberOr(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

func sessionEnd() *cli.Command {
	return oneVerb(&cli.Command{
		Name: "end", ArgsUsage: "SESSION",
		Usage: "end a session at once, and the tokens of its agent",
		Description: `Example:
   cortex session end 3b0e4c1a-6f7b-4a55-9a0e-0d2f6c1b7e88`,
	}, "session", named, func(ctx context.Context, c *client.Client, id string) (api.DeletedID, error) {
		return c.RevokeDaemonSession(ctx, id)
	}, func(_ string, s api.DeletedID) string { return "ended session " + printable(s.ID) })
}
