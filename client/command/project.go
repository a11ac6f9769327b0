package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func project() noun {
	return noun{"project", "see what projects have, and take it away", "cortex project list", verbs{
		projectList, projectSettings, projectGrants, projectGrant, projectUngrant, projectRevoke,
		projectRemove,
	}}
}

func projectNamespace(dst *string) cli.Flag {
	return namespaceFlag(dst, "the `NAME` of the project's namespace")
}

func projectList() *cli.Command {
	var namespace string
	return listVerb(&cli.Command{
		Usage: "list projects, oldest first",
		Description: `Example:
   cortex project list`,
		Flags: []cli.Flag{namespaceFlag(&namespace, "those of the namespace `NAME`")},
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Project, error] {
		return c.AllProjects(ctx, namespace)
	}, table[api.Project]{"PROJECT\tNAMESPACE\tAGENT\tVARIABLES\tTOKEN\tEXPIRES", func(p api.Project) []string {
		return []string{p.ProjectName, p.Namespace, p.AgentID, fmt.Sprint(len(p.EnvMappings)), p.TokenStatus, timeOr(p.TokenExpiresAt)}
	}})
}

func projectSettings() *cli.Command {
	var f adminFlags
	var namespace string
	var set newSettings
	return f.verb(&cli.Command{
		Name: "settings", ArgsUsage: "PROJECT",
		Usage: "show what is different for a project, or change it",
		Description: `Examples:
   cortex project settings my-app
   cortex project settings my-app --token-ttl 1d
   cortex project settings my-app --masking optional
   cortex project settings my-app --on-freeze end
   cortex project settings my-app --offline-ttl 8h
   cortex project settings my-app --commands learn
   cortex project settings my-app --template-files allow`,
		Flags: []cli.Flag{
			projectNamespace(&namespace),
			&cli.StringFlag{Name: "token-ttl", Usage: "`HOW-LONG` tokens live that are issued from now on: 12h, 30d, or 0 for the usual", Destination: &set.ttl},
			&cli.StringFlag{Name: "masking", Usage: "`WHETHER` what commands print is masked: always, or optional, for run --no-mask", Destination: &set.masking},
			&cli.StringFlag{Name: "on-freeze", Usage: "`WHAT` becomes of commands that run when they are cut off: leave, or end", Destination: &set.onFreeze},
			&cli.StringFlag{Name: "offline-ttl", Usage: "`HOW-LONG` daemons keep what they fetched, for when the server is away: 8h, 7d at most, or 0 for not at all", Destination: &set.offline},
			&cli.StringFlag{Name: "commands", Usage: "`WHICH` commands get its secrets: any, learn for any and to keep what nobody approved, or enforce for those that were approved", Destination: &set.commands},
			&cli.StringFlag{Name: "template-files", Usage: "`WHETHER` templates may be written to files on a disk, for run --template-file: deny, or allow", Destination: &set.templateFiles},
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		out, err := changeSettings(ctx, cmd, c, namespace, set)
		switch {
		case err != nil:
			return err
		case f.json:
			return writeJSON(cmd.Root().Writer, out)
		}
		set.announce(cmd)
		return writeFields(cmd.Root().Writer, "project", out.ProjectName, "namespace", out.Namespace,
			"token ttl", duration(time.Duration(out.TokenTTLSeconds)*time.Second), "masking", cmp.Or(out.Masking, api.MaskAlways),
			"on freeze", cmp.Or(out.OnFreeze, api.FreezeLeaves), "offline ttl", offlineTTL(out),
			"commands", cmp.Or(out.Commands, api.CommandsAny), "template files", cmp.Or(out.TemplateFiles, api.FilesDeny))
	})
}

// newSettings are what is to be changed, as it was typed; empty for what stays.
type newSettings struct{ ttl, masking, onFreeze, offline, commands, templateFiles string }

// announce says from when on something counts that does not with the next run.
func (s newSettings) announce(cmd *cli.Command) {
	switch s.onFreeze {
	case api.FreezeEnds:
		say(cmd, "cortex: freezes from now on end its commands, those that run already too")
	case api.FreezeLeaves:
		say(cmd, "cortex: freezes from now on leave its commands alone, those that run already too")
	}
	if s.masking != "" {
		say(cmd, "cortex: masking counts from a daemon's next token on; to have that at once: cortex project revoke %s", cmd.Args().First())
	}
}

// offlineTTL is how long values are kept, for people.
func offlineTTL(s api.ProjectSettings) string {
	if s.OfflineTTLSeconds == 0 {
		return "0, values are not kept"
	}
	return duration(time.Duration(s.OfflineTTLSeconds) * time.Second)
}

// changeSettings returns the settings of a project, changed if there is anything
// to change.
func changeSettings(ctx context.Context, cmd *cli.Command, c *client.Client, namespace string, set newSettings) (out api.ProjectSettings, err error) {
	name := cmd.Args().First()
	if set == (newSettings{}) {
		out, err = c.ProjectSettings(ctx, namespace, name)
		return out, about("project", name, whichNamespace(err, namespace))
	}
	var change api.UpdateProject
	if change.TokenTTLSeconds, err = wholeSeconds(set.ttl); err != nil {
		return out, usage(cmd, fmt.Errorf("bad --token-ttl %q: write 12h, 30d or 0", set.ttl))
	}
	if change.OfflineTTLSeconds, err = wholeSeconds(set.offline); err != nil {
		return out, usage(cmd, fmt.Errorf("bad --offline-ttl %q: write 8h, 7d or 0", set.offline))
	}
	if set.masking != "" {
		change.Masking = &set.masking
	}
	if set.onFreeze != "" {
		change.OnFreeze = &set.onFreeze
	}
	if set.commands != "" {
		change.Commands = &set.commands
	}
	if set.templateFiles != "" {
		change.TemplateFiles = &set.templateFiles
	}
	out, err = c.UpdateProject(ctx, namespace, name, change)
	return out, about("project", name, whichNamespace(err, namespace))
}

// wholeSeconds reads a duration; nil for none.
func wholeSeconds(text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	d, err := readDuration(text)
	if err == nil && d%time.Second != 0 {
		err = errors.New("not a whole number of seconds")
	}
	return new(int64(d / time.Second)), err
}

func projectGrants() *cli.Command {
	var f adminFlags
	var namespace string
	return f.verb(&cli.Command{
		Name: "grants", ArgsUsage: "PROJECT",
		Usage: "list the secrets that a project may have, newest first",
		Description: `Example:
   cortex project grants my-app`,
		Flags: []cli.Flag{projectNamespace(&namespace)},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		rows, err := first(c.AllGrants(ctx, namespace, cmd.Args().First()), 0)
		if err != nil {
			return about("project", cmd.Args().First(), err)
		}
		return showRows(&f, cmd, rows, table[api.Grant]{"VARIABLE\tSECRET\tNAMESPACE\tGRANTED BY\tGRANTED\tID", func(g api.Grant) []string {
			return []string{g.EnvVarName, g.SecretKeyPath, g.SecretNamespace, g.GrantedBy, g.GrantedAt.String(), g.ID}
		}})
	})
}

func projectGrant() *cli.Command {
	var f adminFlags
	var in api.CreateGrant
	var namespace, variable string
	return f.verb(&cli.Command{
		Name: "grant", ArgsUsage: "PROJECT SECRET",
		Usage: "let a project have a secret, before it asks",
		Description: `The project need not exist yet.

Examples:
   cortex project grant my-app db/password --as DATABASE_PASSWORD
   cortex project grant my-app app/config --pointer /db/password`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "as", Usage: "the `VARIABLE` it is delivered in", DefaultText: "the last part of its path", Destination: &variable},
			&cli.StringFlag{Name: "pointer", Usage: "one member of a JSON_CONFIG, by its JSON `POINTER`", Destination: &in.JSONPointer},
			projectNamespace(&namespace),
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		name := cmd.Args().First()
		s, err := grantable(ctx, c, namespace, cmd.Args().Get(1))
		if err != nil {
			return err
		}
		in.SecretID, in.EnvVarName = s.ID, given(cmd, "as", variable)
		out, err := c.CreateGrant(ctx, namespace, name, in)
		if err != nil {
			return fmt.Errorf("granting %s to project %s: %w", printable(s.KeyPath), printable(name), err)
		}
		return f.answer(cmd, out, fmt.Sprintf("project %s may have secret %s", printable(out.ProjectName), printable(out.SecretKeyPath)))
	})
}

// grantable finds a secret of the project's namespace, or one that may be shared
// into it.
func grantable(ctx context.Context, c *client.Client, namespace, name string) (api.Secret, error) {
	here, anywhere := secretName{client.SecretFilter{Namespace: namespace}}, secretName{}
	s, err := here.find(ctx, c, name)
	if namespace != "" && errors.Is(err, api.NotFound) {
		return anywhere.find(ctx, c, name)
	}
	return s, err
}

func projectUngrant() *cli.Command {
	var f adminFlags
	var namespace string
	return f.verb(&cli.Command{
		Name: "ungrant", ArgsUsage: "PROJECT VARIABLE",
		Usage: "take a secret back from a project, by its variable or by the grant's id",
		Description: `Example:
   cortex project ungrant my-app DATABASE_PASSWORD`,
		Flags: []cli.Flag{projectNamespace(&namespace)},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		name, variable := cmd.Args().First(), cmd.Args().Get(1)
		g, err := pick(c.AllGrants(ctx, namespace, name), "grant", variable, func(g api.Grant) bool { return g.EnvVarName == variable || g.ID == variable })
		if err != nil {
			return client.WithHint(about("project", name, err), "to see what there is: "+f.next("cortex project grants "+shellWord(name)))
		}
		out, err := c.DeleteGrant(ctx, name, g.ID)
		if err != nil {
			return about("project", name, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("project %s no longer has %s", printable(name), printable(g.SecretKeyPath)))
	})
}

func projectRevoke() *cli.Command {
	var namespace string
	return oneVerb(&cli.Command{
		Name: "revoke", ArgsUsage: "PROJECT",
		Usage: "end a project's tokens at once; while it is approved, its agent gets others",
		Description: `Example:
   cortex project revoke my-app`,
		Flags: []cli.Flag{projectNamespace(&namespace)},
	}, "project", named, func(ctx context.Context, c *client.Client, name string) (api.RevokedProject, error) {
		out, err := c.RevokeProject(ctx, namespace, name)
		return out, whichNamespace(err, namespace)
	}, func(name string, p api.RevokedProject) string {
		if p.AlreadyRevoked {
			return "project " + printable(name) + " had no token to end"
		}
		return "ended the tokens of project " + printable(name)
	})
}

func projectRemove() *cli.Command {
	var namespace string
	return oneVerb(&cli.Command{
		Name: "remove", ArgsUsage: "PROJECT",
		Usage: "delete a project with its tokens, grants, settings and approvals, at once",
		Description: `Example:
   cortex project remove my-app`,
		Flags: []cli.Flag{projectNamespace(&namespace)},
	}, "project", named, func(ctx context.Context, c *client.Client, name string) (api.Deleted, error) {
		out, err := c.DeleteProject(ctx, namespace, name)
		return out, whichNamespace(err, namespace)
	}, func(name string, _ api.Deleted) string { return "deleted project " + printable(name) })
}
