package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func channel() noun {
	return noun{"channel", "say where people are told what happens", "cortex channel add ops --type slack --config-file slack.json", verbs{
		channelList, channelAdd, channelUpdate, channelTest, channelRemove, channelDeadLetters,
		channelRetry,
	}}
}

func channelList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list channels, oldest first, without their configs",
		Description: `Example:
   cortex channel list`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Channel, error] {
		return whole(c.Channels(ctx))
	}, table[api.Channel]{"CHANNEL\tTYPE\tSTATE\tTOLD\tQUEUED\tDEAD\tDELIVERED\tLAST ERROR\tID", func(h api.Channel) []string {
		return []string{
			h.Name, h.ChannelType, mark(!h.Enabled, "disabled"), channelTold(h), fmt.Sprint(h.Queued), fmt.Sprint(h.DeadLetters),
			timeOr(h.DeliveredAt), h.LastError, h.ID,
		}
	}})
}

// channelTold says what a channel is told.
func channelTold(h api.Channel) string {
	told := append(append([]string{h.MinSeverity}, h.Events...), h.Namespaces...)
	if told = withoutEmpty(told); len(told) == 0 {
		return "all"
	}
	return strings.Join(told, " ")
}

// channelFlags are what a command line says of a channel.
type channelFlags struct {
	adminFlags
	configFile, description, severity, template string
	namespaces, events                          []string
	disabled                                    bool
}

func (f *channelFlags) flags(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.StringFlag{Name: "config-file", Usage: "read the config, JSON with its secrets, from `FILE`, or from standard input if that is -", Destination: &f.configFile, TakesFile: true},
		&cli.StringFlag{Name: "description", Usage: "`TEXT` that says what it is", Destination: &f.description},
		&cli.StringFlag{Name: "min-severity", Usage: "tell it only what is of `SEVERITY` info, warning or critical, and above", Destination: &f.severity},
		&cli.StringSliceFlag{Name: "namespace", Usage: "tell it only of the `NAMESPACE`, or several; --namespace= for all", Destination: &f.namespaces},
		&cli.StringSliceFlag{Name: "event", Usage: "tell it only of the `KIND`, or several; --event= for all", Destination: &f.events},
		&cli.StringFlag{Name: "template", Usage: "`TEXT` of its messages, in which {{agent}} and the like are replaced", Destination: &f.template},
		&cli.BoolFlag{Name: "disabled", Usage: "tell it nothing for now; --disabled=false to tell it again", Destination: &f.disabled},
	)
}

// config reads the config, if there is one.
func (f *channelFlags) config(ctx context.Context, cmd *cli.Command) (api.Document, error) {
	if f.configFile == "" {
		return api.Document{}, nil
	}
	text, err := readValue(ctx, cmd, f.configFile)
	if err != nil {
		return api.Document{}, err
	}
	if !json.Valid(text) {
		clear(text)
		return api.Document{}, fmt.Errorf("%s is not JSON", f.configFile)
	}
	return api.NewDocument(text), nil
}

func channelAdd() *cli.Command {
	var f channelFlags
	var kind string
	return f.verb(&cli.Command{
		Name: "add", ArgsUsage: "CHANNEL",
		Usage: "make a channel",
		Description: `The config holds secrets, and is never shown again. What it has for each type stands in
docs/api.md, for slack and discord {"webhook_url":"https://…"}.

Example:
   cortex channel add ops --type slack --config-file slack.json --min-severity warning`,
		Flags: f.flags(&cli.StringFlag{Name: "type", Usage: "the `TYPE` slack, discord, telegram, email or webhook", Required: true, Destination: &kind}),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		config, err := f.config(ctx, cmd)
		if err == nil && config.IsZero() {
			err = usage(cmd, errors.New("missing --config-file"))
		}
		if err != nil {
			return err
		}
		defer config.Wipe()
		out, err := c.CreateChannel(ctx, api.CreateChannel{
			ChannelType: kind, Name: cmd.Args().First(), Config: config, Enabled: given(cmd, "disabled", !f.disabled),
			Description: given(cmd, "description", f.description), MinSeverity: f.severity,
			Namespaces: withoutEmpty(f.namespaces), Events: withoutEmpty(f.events), Template: f.template,
		})
		if err != nil {
			return about("channel", cmd.Args().First(), err)
		}
		return f.answer(cmd, out, fmt.Sprintf("made channel %s; to see that it works: %s", printable(out.Name), f.next("cortex channel test "+shellWord(printable(out.Name)))))
	})
}

func channelUpdate() *cli.Command {
	var f channelFlags
	return f.verb(&cli.Command{
		Name: "update", ArgsUsage: "CHANNEL",
		Usage: "change a channel; what is not named stays",
		Description: `Example:
   cortex channel update ops --min-severity critical --event=`,
		Flags: f.flags(),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		if noneSet(cmd, "config-file", "description", "min-severity", "namespace", "event", "template", "disabled") {
			return usage(cmd, errNoChange)
		}
		h, err := findChannel(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		config, err := f.config(ctx, cmd)
		if err != nil {
			return err
		}
		defer config.Wipe()
		out, err := c.UpdateChannel(ctx, h.ID, api.UpdateChannel{
			Config: config, Enabled: given(cmd, "disabled", !f.disabled), Description: given(cmd, "description", f.description),
			MinSeverity: given(cmd, "min-severity", f.severity), Namespaces: given(cmd, "namespace", withoutEmpty(f.namespaces)),
			Events: given(cmd, "event", withoutEmpty(f.events)), Template: given(cmd, "template", f.template),
		})
		if err != nil {
			return about("channel", h.Name, err)
		}
		return f.answer(cmd, out, "changed channel "+printable(h.Name))
	})
}

func findChannel(ctx context.Context, c *client.Client, name string) (api.Channel, error) {
	return pick(whole(c.Channels(ctx)), "channel", name, func(h api.Channel) bool { return h.Name == name || h.ID == name })
}

func channelTest() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name: "test", ArgsUsage: "CHANNEL",
		Usage: "send a test message over a channel, and see whether it arrives",
		Description: `The exit status is 1 if it does not.

Example:
   cortex channel test ops`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		h, err := findChannel(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		out, err := c.TestChannel(ctx, h.ID, true)
		if err != nil {
			return about("channel", h.Name, err)
		}
		if err := f.answer(cmd, out); err != nil {
			return err
		}
		switch {
		case out.Delivered == nil:
			return fmt.Errorf("channel %s: it is not known yet whether the message arrived", printable(h.Name))
		case !*out.Delivered:
			return fmt.Errorf("channel %s: the message did not arrive: %s", printable(h.Name), printable(out.Error))
		}
		say(cmd, "cortex: the message arrived over channel %s", printable(h.Name))
		return nil
	})
}

func channelRemove() *cli.Command {
	return oneVerb(&cli.Command{
		Name: "remove", ArgsUsage: "CHANNEL",
		Usage: "delete a channel, with what waits for it",
		Description: `Example:
   cortex channel remove ops`,
	}, "channel", findChannel, func(ctx context.Context, c *client.Client, h api.Channel) (api.Deleted, error) {
		return c.DeleteChannel(ctx, h.ID)
	}, func(h api.Channel, _ api.Deleted) string { return "deleted channel " + printable(h.Name) })
}
