package command

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

const roles = api.RoleSuper + ", " + api.RoleAdmin + ", " + api.RoleApprover + " or " + api.RoleAuditor

func user() noun {
	return noun{"user", "keep the accounts of people", "cortex user add alice --role approver --namespace prod", verbs{
		userList, userAdd, userUpdate, userRemove, userPassword,
	}}
}

func userList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list accounts, by name",
		Description: `Example:
   cortex user list`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.User, error] {
		return whole(c.Users(ctx))
	}, table[api.User]{"USER\tROLE\tNAMESPACES\tSTATE\tCREATED\tID", func(u api.User) []string {
		return []string{u.Name, u.Role, everywhere(u.Namespaces), mark(u.Disabled, "disabled"), u.CreatedAt.String(), u.ID}
	}})
}

// everywhere says where somebody may do something.
func everywhere(namespaces []string) string {
	if len(namespaces) == 0 {
		return "all"
	}
	return strings.Join(namespaces, " ")
}

// userFlags are what a command line says of an account.
type userFlags struct {
	adminFlags
	role, passwordFile string
	namespaces         []string
}

func (f *userFlags) flags(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.StringSliceFlag{Name: "namespace", Usage: "only the `NAMESPACE`, or several; --namespace= for all", Destination: &f.namespaces},
		&cli.StringFlag{Name: "password-file", Usage: "read the password from `FILE`", Destination: &f.passwordFile, TakesFile: true})
}

func userAdd() *cli.Command {
	var f userFlags
	return f.verb(&cli.Command{
		Name: "add", ArgsUsage: "USER",
		Usage: "make an account",
		Description: `Asks for the password, twice, unless it comes from a file. The account logs in with
cortex login.

Example:
   cortex user add alice --role approver --namespace prod --password-file alice.txt`,
		Flags: f.flags(&cli.StringFlag{Name: "role", Usage: "what the account may do: the `ROLE` " + roles, Required: true, Destination: &f.role}),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		name := cmd.Args().First()
		password, err := newPassword(ctx, f.passwordFile, "password of "+printable(name))
		if err != nil {
			return err
		}
		defer password.Wipe()
		out, err := c.CreateUser(ctx, api.CreateUser{
			Name: name, Role: f.role, Namespaces: withoutEmpty(f.namespaces), Password: api.NewValue(password.Reveal()),
		})
		if err != nil {
			return about("user", name, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("made account %s, which is %s in namespaces: %s", printable(out.Name), printable(out.Role), printable(everywhere(out.Namespaces))))
	})
}

func userUpdate() *cli.Command {
	var f userFlags
	var disabled, password bool
	return f.verb(&cli.Command{
		Name: "update", ArgsUsage: "USER",
		Usage: "change an account, and end its log-ins",
		Description: `Examples:
   cortex user update alice --role admin --namespace=
   cortex user update alice --disabled`,
		Flags: f.flags(
			&cli.StringFlag{Name: "role", Usage: "what the account may do: the `ROLE` " + roles, Destination: &f.role},
			&cli.BoolFlag{Name: "disabled", Usage: "let it log in no more; --disabled=false to let it again", Destination: &disabled},
			&cli.BoolFlag{Name: "password", Usage: "ask for another password", Destination: &password},
		),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		if noneSet(cmd, "role", "namespace", "disabled", "password", "password-file") {
			return usage(cmd, errNoChange)
		}
		in := api.UpdateUser{Role: given(cmd, "role", f.role), Namespaces: given(cmd, "namespace", withoutEmpty(f.namespaces)), Disabled: given(cmd, "disabled", disabled)}
		u, err := findUser(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		if password || f.passwordFile != "" {
			next, err := newPassword(ctx, f.passwordFile, "password of "+printable(u.Name))
			if err != nil {
				return err
			}
			defer next.Wipe()
			in.Password = api.NewValue(next.Reveal())
		}
		out, err := c.UpdateUser(ctx, u.ID, in)
		if err != nil {
			return about("user", u.Name, err)
		}
		return f.answer(cmd, out, "changed account "+printable(out.Name))
	})
}

func findUser(ctx context.Context, c *client.Client, name string) (api.User, error) {
	return pick(whole(c.Users(ctx)), "user", name, func(u api.User) bool { return u.Name == name || u.ID == name })
}

func userRemove() *cli.Command {
	return oneVerb(&cli.Command{
		Name: "remove", ArgsUsage: "USER",
		Usage: "delete an account, and end its log-ins",
		Description: `Example:
   cortex user remove alice`,
	}, "user", findUser, func(ctx context.Context, c *client.Client, u api.User) (api.Deleted, error) {
		return c.DeleteUser(ctx, u.ID)
	}, func(u api.User, _ api.Deleted) string { return "deleted account " + printable(u.Name) })
}

func userPassword() *cli.Command {
	var f keyFlags
	var newFile string
	return f.verb(&cli.Command{
		Name:  "password",
		Usage: "change the password of the account that is logged in, and end its other log-ins",
		Description: `Asks for the current password, and for the new one, twice.

Example:
   cortex user password --current-file old.txt --new-file new.txt`,
		Flags: []cli.Flag{passwordFlag("current-file", "current", &f.currentFile), passwordFlag("new-file", "new", &newFile)},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		current, err := secretFrom(ctx, f.currentFile, "current password")
		if err != nil {
			return err
		}
		defer current.Wipe()
		next, err := newPassword(ctx, newFile, "password")
		if err != nil {
			return err
		}
		defer next.Wipe()
		out, err := c.ChangeOwnPassword(ctx, api.ChangePassword{CurrentPassword: api.NewValue(current.Reveal()), NewPassword: api.NewValue(next.Reveal())})
		if err != nil {
			return err
		}
		return f.answer(cmd, out, "the password was changed")
	})
}

func passwordFlag(name, which string, dst *string) cli.Flag {
	return &cli.StringFlag{Name: name, Usage: "`FILE` with the " + which + " password", Destination: dst, TakesFile: true}
}
