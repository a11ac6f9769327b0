package command

import (
	"context"
	"iter"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func namespace() noun {
	return noun{"namespace", "keep namespaces", "cortex namespace add prod", verbs{
		namespaceList, namespaceAdd, namespaceRemove,
	}}
}

func namespaceList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list namespaces, by name",
		Description: `Example:
   cortex namespace list`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Namespace, error] {
		return c.AllNamespaces(ctx)
	}, table[api.Namespace]{"NAMESPACE\tCREATED\tDESCRIPTION", func(n api.Namespace) []string {
		return []string{n.Name, n.CreatedAt.String(), textOr(n.Description)}
	}})
}

func namespaceAdd() *cli.Command {
	var f adminFlags
	var description string
	return f.verb(&cli.Command{
		Name: "add", ArgsUsage: "NAMESPACE",
		Usage: "make a namespace",
		Description: `Example:
   cortex namespace add prod --description "what customers use"`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "description", Usage: "`TEXT` that says what it is", Destination: &description}},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		name := cmd.Args().First()
		out, err := c.CreateNamespace(ctx, api.CreateNamespace{Name: name, Description: given(cmd, "description", description)})
		if err != nil {
			return about("namespace", name, err)
		}
		return f.answer(cmd, out, "made namespace "+printable(out.Name))
	})
}

func namespaceRemove() *cli.Command {
	return oneVerb(&cli.Command{
		Name: "remove", ArgsUsage: "NAMESPACE",
		Usage: "delete a namespace that nothing is in",
		Description: `Example:
   cortex namespace remove staging`,
	}, "namespace", named, func(ctx context.Context, c *client.Client, name string) (api.DeletedNamespace, error) {
		return c.DeleteNamespace(ctx, name)
	}, func(name string, _ api.DeletedNamespace) string { return "deleted namespace " + printable(name) })
}
