package command

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func device() noun {
	return noun{"device", "let agents' hosts in", "cortex device approve BCDF-2345 --agent build-bot", verbs{
		deviceList, deviceShow, deviceApprove, deviceDeny, deviceRemove,
	}}
}

func deviceList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list log-ins of hosts, newest first",
		Description: `Example:
   cortex device list --limit 20`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Device, error] {
		return c.AllDevices(ctx)
	}, table[api.Device]{"CODE\tSTATUS\tAGENT\tHOST\tSOURCE\tCREATED\tLAST USED", func(d api.Device) []string {
		return []string{d.UserCode, d.Status, textOr(d.AgentID), textOr(d.Hostname), textOr(d.SourceIP), d.CreatedAt.String(), timeOr(d.LastUsedAt)}
	}})
}

func deviceShow() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name: "show", ArgsUsage: "CODE",
		Usage: "show what waits with a code, before it is approved",
		Description: `Everything but the key's fingerprint and what follows from it is the host's own word. Turn away
one that knows this vault by a server that is not yours: somebody there passes on what it says.

Example:
   cortex device show BCDF-2345`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		d, err := c.LookUpDevice(ctx, cmd.Args().First())
		switch {
		case err != nil:
			return about("code", cmd.Args().First(), err)
		case f.json:
			return writeJSON(cmd.Root().Writer, d)
		}
		return writeFields(cmd.Root().Writer, "code", d.UserCode, "agent", d.AgentID, "namespace", d.Namespace, "note", deviceNote(d),
			"key", textOr(d.Fingerprint), "host", d.Hostname, "system", d.OS, "program", d.CLI, "server", d.Origin, "source", d.SourceIP,
			"began", d.CreatedAt.String(), "until", d.ExpiresAt.String())
	})
}

// deviceNote says what approving a host would do.
func deviceNote(d api.PendingDevice) string {
	switch {
	case !d.Proved:
		return "it has not shown that it has an agent's key"
	case d.KeyChange:
		return "the agent is known by another key, which this one would replace"
	}
	return mark(d.NewAgent, "the agent is new, and would be registered")
}

func deviceApprove() *cli.Command {
	var f adminFlags
	var in api.ApproveDevice
	return f.verb(&cli.Command{
		Name: "approve", ArgsUsage: "CODE",
		Usage: "let a host in as an agent, by the code that it shows",
		Description: `Example:
   cortex device approve BCDF-2345 --agent build-bot`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "agent", Usage: "the `AGENT` it is to be", Required: true, Destination: &in.AgentID},
			namespaceFlag(&in.Namespace, "the `NAME` of the agent's namespace"),
			&cli.BoolFlag{Name: "key-change", Usage: "also if the agent has another key, which ends what it has", Destination: &in.KeyChange},
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		in.UserCode = cmd.Args().First()
		out, err := c.ApproveDevice(ctx, "", in)
		if errors.Is(err, api.InvalidRequest) && !in.KeyChange {
			err = hintKeyChange(ctx, c, in.UserCode, err)
		}
		if err != nil {
			return about("code", in.UserCode, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("approved %s for agent %s", printable(out.UserCode), printable(out.AgentID)))
	})
}

// hintKeyChange adds what to do about a code that would give an agent another key.
func hintKeyChange(ctx context.Context, c *client.Client, code string, err error) error {
	d, unknown := c.LookUpDevice(ctx, code)
	if unknown != nil || !d.KeyChange {
		return err
	}
	return client.WithHint(err, "compare "+printable(textOr(d.Fingerprint))+" with what the host shows; if it is meant to take the agent over, add --key-change")
}

func deviceDeny() *cli.Command {
	return oneVerb(&cli.Command{
		Name: "deny", ArgsUsage: "CODE",
		Usage: "turn a host away",
		Description: `Example:
   cortex device deny BCDF-2345`,
	}, "code", named, func(ctx context.Context, c *client.Client, code string) (api.DeniedDevice, error) {
		return c.DenyDevice(ctx, code)
	}, func(_ string, d api.DeniedDevice) string { return "denied " + printable(d.UserCode) })
}

func deviceRemove() *cli.Command {
	var namespace string
	return oneVerb(&cli.Command{
		Name: "remove", ArgsUsage: "AGENT",
		Usage: "end every log-in of an agent at once, and its sessions and tokens",
		Description: `Example:
   cortex device remove build-bot`,
		Flags: []cli.Flag{namespaceFlag(&namespace, "the `NAME` of the agent's namespace")},
	}, "agent", named, func(ctx context.Context, c *client.Client, id string) (api.DeletedDevices, error) {
		out, err := c.DeleteDevices(ctx, namespace, id)
		return out, whichNamespace(err, namespace)
	}, func(id string, d api.DeletedDevices) string {
		return fmt.Sprintf("ended %d log-ins of agent %s", d.Rows, printable(id))
	})
}
