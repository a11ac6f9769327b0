package command

import (
	"context"
	"iter"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func policy() noun {
	return noun{"policy", "say what agents may have at all", `cortex policy add "no databases" --deny "db/*"`, verbs{
		policyList, policyAdd, policyRemove,
	}}
}

func policyList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list policies, oldest first",
		Description: `Example:
   cortex policy list`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Policy, error] {
		return c.AllPolicies(ctx)
	}, table[api.Policy]{"POLICY\tAGENTS\tNAMESPACE\tALLOWED\tDENIED\tID", func(p api.Policy) []string {
		return []string{p.PolicyName, p.AgentPattern, p.Namespace, strings.Join(p.AllowedPaths, " "), strings.Join(p.DeniedPaths, " "), p.ID}
	}})
}

func policyAdd() *cli.Command {
	var f adminFlags
	var in api.CreatePolicy
	return f.verb(&cli.Command{
		Name: "add", ArgsUsage: "POLICY",
		Usage: "make a policy",
		Description: `A pattern is an exact text, or a beginning with * behind it. What is denied is denied;
an agent that any policy allows something has nothing else.

Examples:
   cortex policy add "no databases" --deny "db/*"
   cortex policy add ci --agents "ci-*" --allow "ci/*" --allow npm_token --namespace prod`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "agents", Usage: "the `PATTERN` of the agents it is about", Value: "*", Destination: &in.AgentPattern},
			&cli.StringSliceFlag{Name: "allow", Usage: "`PATTERN` of paths that they may have, and nothing else", Destination: &in.AllowedPaths},
			&cli.StringSliceFlag{Name: "deny", Usage: "`PATTERN` of paths that they may not have", Destination: &in.DeniedPaths},
			namespaceFlag(&in.Namespace, "only agents of the namespace `NAME`"),
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		in.PolicyName = cmd.Args().First()
		if in.AllowedPaths == nil {
			in.AllowedPaths = []string{}
		}
		out, err := c.CreatePolicy(ctx, in)
		if err != nil {
			return about("policy", in.PolicyName, err)
		}
		return f.answer(cmd, out, "made policy "+printable(out.PolicyName))
	})
}

func policyRemove() *cli.Command {
	return oneVerb(&cli.Command{
		Name: "remove", ArgsUsage: "POLICY",
		Usage: "delete a policy, by its name or id",
		Description: `Example:
   cortex policy remove "no databases"`,
	}, "policy", findPolicy, func(ctx context.Context, c *client.Client, p api.Policy) (api.Deleted, error) {
		return c.DeletePolicy(ctx, p.ID)
	}, func(p api.Policy, _ api.Deleted) string { return "deleted policy " + printable(p.PolicyName) })
}

func findPolicy(ctx context.Context, c *client.Client, name string) (api.Policy, error) {
	return pick(c.AllPolicies(ctx), "policy", name, func(p api.Policy) bool { return p.PolicyName == name || p.ID == name })
}
