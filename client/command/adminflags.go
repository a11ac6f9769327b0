package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

// adminFlags are what the verbs of an administrator have in common.
type adminFlags struct {
	url, pin, tokenFile string
	json                bool
}

func (f *adminFlags) common() []cli.Flag {
	return []cli.Flag{urlFlag(&f.url), pinFlag(&f.pin), adminTokenFlag(&f.tokenFile), jsonFlag(&f.json)}
}

// client returns a client of the server, with the admin token.
func (f *adminFlags) client(ctx context.Context) (*client.Client, error) {
	token, err := adminToken(ctx, f.tokenFile)
	if err != nil {
		return nil, err
	}
	return connect(f.url, f.pin, token)
}

// verb makes a verb of an administrator of what is particular about it. Its
// ArgsUsage names its arguments, and how many there may be: those in brackets
// can be left out, and one that ends in ...] stands for any more.
func (f *adminFlags) verb(cmd *cli.Command, do func(context.Context, *cli.Command, *client.Client) error) *cli.Command {
	cmd.Flags = append(cmd.Flags, f.common()...)
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error {
		if err := countArguments(cmd); err != nil {
			return err
		}
		c, err := f.client(ctx)
		if err != nil {
			return err
		}
		return f.explain(cmd, do(ctx, cmd, c))
	}
	return cmd
}

// oneVerb makes a verb that does one thing to what its argument names: it is found,
// it is done, and a line says so. kind is what errors call it.
func oneVerb[R, A any](cmd *cli.Command, kind string,
	find func(context.Context, *client.Client, string) (R, error),
	do func(context.Context, *client.Client, R) (A, error),
	done func(R, A) string,
) *cli.Command {
	return oneOf(&adminFlags{}, cmd, kind, func(ctx context.Context, c *client.Client, args []string) (R, error) { return find(ctx, c, args[0]) }, do, done)
}

// oneOf is oneVerb for what several arguments name, the last of which errors name, and with
// flags that are the caller's.
func oneOf[R, A any](f *adminFlags, cmd *cli.Command, kind string,
	find func(context.Context, *client.Client, []string) (R, error),
	do func(context.Context, *client.Client, R) (A, error),
	done func(R, A) string,
) *cli.Command {
	return f.verb(cmd, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		args := cmd.Args().Slice()
		it, err := find(ctx, c, args)
		if err != nil {
			return err
		}
		out, err := do(ctx, c, it)
		if err != nil {
			return about(kind, args[len(args)-1], err)
		}
		return f.answer(cmd, out, done(it, out))
	})
}

// named finds what the server knows by the name that was typed.
func named(_ context.Context, _ *client.Client, name string) (string, error) { return name, nil }

func countArguments(cmd *cli.Command) error {
	names, args := strings.Fields(cmd.ArgsUsage), cmd.Args().Slice()
	if len(args) > len(names) && !strings.HasSuffix(cmd.ArgsUsage, "...]") {
		return usage(cmd, fmt.Errorf("unexpected argument %q", args[len(names)]))
	}
	if missing := names[min(len(args), len(names)):]; len(missing) > 0 && missing[0][0] != '[' {
		return usage(cmd, fmt.Errorf("missing %s", missing[0]))
	}
	return nil
}

// explain says what to do about what the server refused.
func (f *adminFlags) explain(cmd *cli.Command, err error) error {
	e, ok := errors.AsType[*api.Error](err)
	switch {
	case !ok || client.Hint(err) != "":
		return err
	case e.ConfirmationID != "":
		return client.WithHint(err, "another super account: "+f.next("cortex confirmation confirm "+printableID(e.ConfirmationID)))
	case errors.Is(err, api.Sealed):
		return client.WithHint(err, "somebody opens it with the operator password, or shares: "+f.next("cortex unseal"))
	case e.Status == http.StatusUnauthorized:
		return client.WithHint(err, "check ADMIN_TOKEN, or the file of --admin-token-file; with an account, export ADMIN_TOKEN=$("+f.next("cortex login USER")+")")
	case errors.Is(err, api.NotFound) && cmd.Lineage()[1].Command("list") != nil:
		return client.WithHint(err, "to see what there is: "+f.next(cmd.Lineage()[1].FullName()+" list"))
	}
	return err
}

// next completes a command line that somebody is to type.
func (f *adminFlags) next(line string) string {
	if os.Getenv("CORTEX_URL") == "" {
		line += " --url " + f.url
	}
	if f.pin != "" && os.Getenv("CORTEX_PIN") == "" {
		line += " --pin " + f.pin
	}
	return line
}

// answer shows what came of a request: the whole answer, or lines that say so.
func (f *adminFlags) answer(cmd *cli.Command, out any, lines ...string) error {
	if f.json {
		return writeJSON(cmd.Root().Writer, out)
	}
	for _, line := range lines {
		say(cmd, "cortex: %s", line)
	}
	return nil
}

// about says what an error is about.
func about(kind, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", kind, printable(name), err)
}

// whichNamespace says what to do about a name that stands in several namespaces,
// where nothing else is a conflict.
func whichNamespace(err error, namespace string) error {
	if errors.Is(err, api.Conflict) && namespace == "" {
		return client.WithHint(err, "say which one: --namespace NAME")
	}
	return err
}

func namespaceFlag(dst *string, usage string) cli.Flag {
	return &cli.StringFlag{Name: "namespace", Usage: usage, Destination: dst}
}

// given returns what a flag says, or nil if the command line has none.
func given[T any](cmd *cli.Command, flag string, value T) *T {
	if !cmd.IsSet(flag) {
		return nil
	}
	return &value
}

// errNoChange is about a command line that changes nothing.
var errNoChange = errors.New("nothing to change")

func noneSet(cmd *cli.Command, flags ...string) bool { return !slices.ContainsFunc(flags, cmd.IsSet) }

// withoutEmpty returns what a flag lists that can also be given for none of it.
func withoutEmpty(list []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
