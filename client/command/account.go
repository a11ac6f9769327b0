package command

import (
	"context"
	"errors"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func accountLogin() *cli.Command {
	var f adminFlags
	var passwordFile string
	return &cli.Command{
		Name: "login", ArgsUsage: "USER",
		Usage: "log an account in, and print the token that stands for it",
		Description: `Asks for the password. The token is good for 12 hours, goes where the admin token does,
and is written to no file: keep it in the environment of one shell. (To log in an
agent's host: cortex daemon login.)

Example:
   export ADMIN_TOKEN=$(cortex login alice)`,
		Flags: []cli.Flag{passwordFlag("password-file", "account's", &passwordFile), urlFlag(&f.url), pinFlag(&f.pin), jsonFlag(&f.json)},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := countArguments(cmd); err != nil {
				return err
			}
			name := cmd.Args().First()
			if onTerminal(cmd.Root().Writer) {
				return client.WithHint(errors.New("the token does not belong on a terminal"), "export ADMIN_TOKEN=$("+f.next("cortex login "+printable(name))+")")
			}
			out, err := logIn(ctx, f, name, passwordFile)
			if err != nil {
				return about("user", name, err)
			}
			defer out.Token.Wipe()
			say(cmd, "cortex: %s is logged in until %s UTC", printable(out.Name), out.ExpiresAt)
			if f.json {
				return writeJSON(cmd.Root().Writer, out)
			}
			return printSecret(cmd.Root().Writer, out.Token)
		},
	}
}

func logIn(ctx context.Context, f adminFlags, name, passwordFile string) (api.LoginResponse, error) {
	c, err := connect(f.url, f.pin, opaque.Bytes{})
	if err != nil {
		return api.LoginResponse{}, err
	}
	password, err := secretFrom(ctx, passwordFile, "password of "+printable(name))
	if err != nil {
		return api.LoginResponse{}, err
	}
	defer password.Wipe()
	return c.Login(ctx, api.LoginRequest{Name: name, Password: api.NewValue(password.Reveal())})
}

func accountLogout() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name:  "logout",
		Usage: "end the log-in whose token this shell has",
		Description: `Example:
   cortex logout; unset ADMIN_TOKEN`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		out, err := c.Logout(ctx)
		if err != nil {
			return err
		}
		return f.answer(cmd, out, "logged out; the token is good for nothing: unset ADMIN_TOKEN")
	})
}

func whoAmI() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name:  "whoami",
		Usage: "show whose the admin token is",
		Description: `Example:
   cortex whoami`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		out, err := c.WhoAmI(ctx)
		switch {
		case err != nil:
			return err
		case f.json:
			return writeJSON(cmd.Root().Writer, out)
		}
		return writeFields(cmd.Root().Writer, "name", out.Name, "role", out.Role, "namespaces", everywhere(out.Namespaces))
	})
}
