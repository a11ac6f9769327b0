package command

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func agent() noun {
	return noun{"agent", "register agents", "cortex agent add build-bot --key-file build-bot.pub", verbs{
		agentList, agentAdd, agentRemove,
	}}
}

func agentList() *cli.Command {
	var namespace string
	return listVerb(&cli.Command{
		Usage: "list agents, oldest first",
		Description: `Example:
   cortex agent list --namespace prod`,
		Flags: []cli.Flag{namespaceFlag(&namespace, "those of the namespace `NAME`")},
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Agent, error] {
		return c.AllAgents(ctx, namespace)
	}, table[api.Agent]{"AGENT\tNAMESPACE\tCREATED\tSTATE\tDESCRIPTION", func(a api.Agent) []string {
		return []string{a.AgentID, a.Namespace, a.CreatedAt.String(), agentState(a), textOr(a.Description)}
	}})
}

func agentState(a api.Agent) string {
	if !a.HasPubkey {
		return "without a key"
	}
	return mark(a.Frozen, "frozen")
}

func agentAdd() *cli.Command {
	var f adminFlags
	var in api.CreateAgent
	var keyFile, description string
	return f.verb(&cli.Command{
		Name: "add", ArgsUsage: "AGENT",
		Usage: "register an agent by its public key",
		Description: `The key is what cortex gen-key prints, and cortex daemon login shows. It may begin with
a hyphen: write --key=KEY.

Examples:
   cortex agent add build-bot --key=A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg
   cortex gen-key --agent-id build-bot | cortex agent add build-bot --key-file -`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "key", Usage: "the public `KEY`", Destination: &in.AgentPub},
			&cli.StringFlag{Name: "key-file", Usage: "read the public key from `FILE`, or from standard input if that is -", Destination: &keyFile, TakesFile: true},
			&cli.StringFlag{Name: "description", Usage: "`TEXT` that says what it is", Destination: &description},
			namespaceFlag(&in.Namespace, "the `NAME` of its namespace"),
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		if (in.AgentPub == "") == (keyFile == "") {
			return usage(cmd, errors.New("want either --key or --key-file"))
		}
		if keyFile != "" {
			text, err := readValue(ctx, cmd, keyFile)
			if err != nil {
				return err
			}
			in.AgentPub = strings.TrimSpace(string(text))
		}
		in.AgentID, in.Description = cmd.Args().First(), given(cmd, "description", description)
		out, err := c.CreateAgent(ctx, in)
		if err != nil {
			return about("agent", in.AgentID, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("registered agent %s in namespace %s", printable(out.AgentID), printable(out.Namespace)))
	})
}

func agentRemove() *cli.Command {
	var namespace string
	return oneVerb(&cli.Command{
		Name: "remove", ArgsUsage: "AGENT",
		Usage: "delete an agent with its devices, sessions, tokens and approvals, at once",
		Description: `Example:
   cortex agent remove build-bot`,
		Flags: []cli.Flag{namespaceFlag(&namespace, "the `NAME` of its namespace")},
	}, "agent", named, func(ctx context.Context, c *client.Client, id string) (api.Deleted, error) {
		out, err := c.DeleteAgent(ctx, namespace, id)
		return out, whichNamespace(err, namespace)
	}, func(id string, _ api.Deleted) string { return "deleted agent " + printable(id) })
}
