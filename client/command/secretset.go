package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

const secretTypes = api.KeyValue + ", " + api.JSONConfig + ", " + api.TemplateConfig + " or " + api.SSHKeyType

// secretFlags are what a command line says of a secret, besides its name.
type secretFlags struct {
	adminFlags
	secretName
	valueFile, kind, description, message, expires string
	knownHosts                                     string
	generate                                       api.Generate
	tags                                           []string
	honey                                          bool
	ifVersion, maxVersions                         int64
}

// valueFlags are about a value, and are for the verbs that give a secret one.
func (f *secretFlags) valueFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "value-file", Usage: "read the value from `FILE`, or from standard input if that is -", DefaultText: "ask for it", Destination: &f.valueFile, TakesFile: true},
		&cli.StringFlag{Name: "generate", Usage: "have the vault make the value, which nobody is shown: a `KIND` password, hex, base64, uuid or ed25519-ssh", Destination: &f.generate.Type},
		&cli.Int64Flag{Name: "length", Usage: "`HOW-MANY` characters of a password, or random bytes behind hex and base64", DefaultText: "32", Destination: &f.generate.Length},
		&cli.StringFlag{Name: "message", Usage: "`TEXT` that says why there is this version", Destination: &f.message},
	}
}

func typeFlag(dst *string) cli.Flag {
	return &cli.StringFlag{Name: "type", Usage: "the `TYPE` of a new secret: " + secretTypes, Value: api.KeyValue, Destination: dst}
}

func ifVersionFlag(dst *int64) cli.Flag {
	return &cli.Int64Flag{Name: "if-version", Usage: "only if the secret is at version `N`", DefaultText: "whatever there is", Destination: dst}
}

// metaFlags are about a secret whatever its value.
func (f *secretFlags) metaFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "description", Usage: "`TEXT` that says what it is", Destination: &f.description},
		&cli.StringSliceFlag{Name: "tag", Usage: "a `TAG`, or several, in place of those there are; --tag= for none", Destination: &f.tags},
		&cli.StringFlag{Name: "expires", Usage: "`WHEN` it is delivered no more: 90d, 12h, 2027-01-31, a time in UTC, or never", Destination: &f.expires},
		&cli.Int64Flag{Name: "max-versions", Usage: "keep `N` values, from 1 to 100", DefaultText: "10", Destination: &f.maxVersions},
		&cli.StringFlag{Name: "known-hosts", Usage: "the hosts that an SSH_KEY logs in to, in place of those there are: a `FILE` like known_hosts, or with a fingerprint SHA256:… a line", Destination: &f.knownHosts, TakesFile: true},
		&cli.BoolFlag{Name: "honey", Usage: "a trap, which freezes whoever fetches it", Destination: &f.honey},
	}
}

func secretCreate() *cli.Command {
	var f secretFlags
	return f.verb(&cli.Command{
		Name: "create", ArgsUsage: "PATH",
		Usage: "keep a new secret",
		Description: `As set, but refuses a path that is taken.

Examples:
   cortex secret create db/password --generate password
   ssh-keyscan git.example.com > hosts        # and compare the fingerprints
   cortex secret create deploy_key --type SSH_KEY --generate ed25519-ssh --known-hosts hosts`,
		Flags: f.flags(append(f.valueFlags(), append(f.metaFlags(), typeFlag(&f.kind))...)...),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		return f.create(ctx, cmd, c)
	})
}

func secretSet() *cli.Command {
	var f secretFlags
	return f.verb(&cli.Command{
		Name: "set", ArgsUsage: "PATH",
		Usage: "keep a secret: a new one, or a new value of one that is there",
		Description: `Asks for the value, without echo, unless it comes from a file, from standard input, or
is made by the vault. A newline at the end of a single line is no part of it; several
lines are kept as they are.

Examples:
   cortex secret set openai_api_key
   pass openai | cortex secret set openai_api_key --value-file - --expires 90d
   cortex secret set db/password --generate password --length 40 --message quarterly`,
		Flags: f.flags(append(f.valueFlags(), append(f.metaFlags(), typeFlag(&f.kind), ifVersionFlag(&f.ifVersion))...)...),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		s, err := f.find(ctx, c, cmd.Args().First())
		switch {
		case errors.Is(err, api.NotFound) && cmd.IsSet("if-version"):
			return err
		case errors.Is(err, api.NotFound):
			return f.create(ctx, cmd, c)
		case err != nil:
			return err
		case cmd.IsSet("type") && !strings.EqualFold(f.kind, s.SecretType):
			return fmt.Errorf("secret %s is a %s, which cannot be changed", printable(s.KeyPath), printable(s.SecretType))
		}
		return f.update(ctx, cmd, c, s, true)
	})
}

func secretUpdate() *cli.Command {
	var f secretFlags
	return f.verb(&cli.Command{
		Name: "update", ArgsUsage: "SECRET",
		Usage: "change what is said of a secret, and not its value",
		Description: `Example:
   cortex secret update openai_api_key --expires 90d --tag team:web --tag billing`,
		Flags: f.flags(append(f.metaFlags(), ifVersionFlag(&f.ifVersion))...),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		if noneSet(cmd, "description", "tag", "expires", "max-versions", "known-hosts", "honey") {
			return usage(cmd, errNoChange)
		}
		s, err := f.find(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		return f.update(ctx, cmd, c, s, false)
	})
}

// value returns the value that a command line gives a secret, or how to make it.
func (f *secretFlags) value(ctx context.Context, cmd *cli.Command) (api.Value, *api.Generate, error) {
	switch {
	case f.generate.Type == "" && f.generate.Length != 0:
		return api.Value{}, nil, usage(cmd, errors.New("--length goes with --generate"))
	case f.generate.Type == "":
		v, err := valueFrom(ctx, cmd, f.valueFile, "value of "+printable(cmd.Args().First()))
		return v, nil, err
	case f.valueFile != "":
		return api.Value{}, nil, usage(cmd, errors.New("either --value-file or --generate"))
	}
	return api.Value{}, &f.generate, nil
}

func (f *secretFlags) create(ctx context.Context, cmd *cli.Command, c *client.Client) error {
	until, err := expiry(cmd, f.expires)
	if err != nil {
		return err
	}
	in := api.CreateSecret{
		KeyPath: cmd.Args().First(), SecretType: strings.ToUpper(f.kind), Namespace: f.filter.Namespace, IsHoneyToken: f.honey,
		Description: given(cmd, "description", f.description), Message: given(cmd, "message", f.message), Tags: f.tags, MaxVersions: f.maxVersions,
	}
	if until != nil && !until.IsZero() {
		in.ExpiresAt = until
	}
	if hosts, err := f.hosts(ctx, cmd); err != nil {
		return err
	} else if hosts != nil {
		in.KnownHosts = *hosts
	}
	if in.Value, in.Generate, err = f.value(ctx, cmd); err != nil {
		return err
	}
	defer in.Value.Wipe()
	out, err := c.CreateSecret(ctx, in)
	if errors.Is(err, api.Conflict) {
		err = client.WithHint(err, "to give it a new value: "+f.next("cortex secret set "+shellWord(in.KeyPath)))
	}
	if err != nil {
		return about("secret", in.KeyPath, err)
	}
	return f.kept(cmd, out, out.PublicKey, "keeps secret %s in namespace %s", printable(out.KeyPath), printable(out.Namespace))
}

// update changes a secret, and gives it a value if it is to have one.
func (f *secretFlags) update(ctx context.Context, cmd *cli.Command, c *client.Client, s api.Secret, valued bool) error {
	until, err := expiry(cmd, f.expires)
	if err != nil {
		return err
	}
	in := api.UpdateSecret{
		Description: given(cmd, "description", f.description), Message: given(cmd, "message", f.message), Tags: given(cmd, "tag", withoutEmpty(f.tags)),
		IsHoneyToken: given(cmd, "honey", f.honey), IfVersion: given(cmd, "if-version", f.ifVersion), MaxVersions: given(cmd, "max-versions", f.maxVersions),
	}
	if until != nil {
		in.ExpiresAt = new(wireExpiry(*until))
	}
	if in.KnownHosts, err = f.hosts(ctx, cmd); err != nil {
		return err
	}
	if valued {
		if in.Value, in.Generate, err = f.value(ctx, cmd); err != nil {
			return err
		}
		defer in.Value.Wipe()
	}
	out, err := c.UpdateSecret(ctx, s.ID, in)
	if err != nil {
		return about("secret", s.KeyPath, err)
	}
	return f.kept(cmd, out, out.PublicKey, "keeps secret %s, version %d", printable(s.KeyPath), out.Version)
}

// kept says what came of it. The public half of a key that the vault made is
// data.
func (f *secretFlags) kept(cmd *cli.Command, out any, publicKey, format string, args ...any) error {
	if publicKey != "" && !f.json {
		if _, err := fmt.Fprintln(cmd.Root().Writer, printable(publicKey)); err != nil {
			return err
		}
	}
	return f.answer(cmd, out, fmt.Sprintf("the vault "+format, args...))
}
