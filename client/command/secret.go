package command

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func secret() noun {
	return noun{"secret", "keep secrets", "cortex secret set openai_api_key", verbs{
		secretList, secretGet, secretCreate, secretSet, secretUpdate, secretImport, secretVersions,
		secretRollback, secretPublicKey, secretShares, secretShare, secretUnshare, secretDelete, secretUndelete,
		secretDestroy,
	}}
}

func secretList() *cli.Command {
	var f client.SecretFilter
	return listVerb(&cli.Command{
		Usage: "list secrets, without their values",
		Description: `Examples:
   cortex secret list --prefix db/
   cortex secret list --deleted
   cortex secret list --shared --namespace staging`,
		Flags: []cli.Flag{
			namespaceFlag(&f.Namespace, "those of the namespace `NAME`"),
			&cli.StringFlag{Name: "prefix", Usage: "those whose path begins with `TEXT`", Destination: &f.Prefix},
			&cli.StringFlag{Name: "tag", Usage: "those with the `TAG`", Destination: &f.Tag},
			&cli.StringFlag{Name: "type", Usage: "those of the `TYPE` " + secretTypes, Destination: &f.Type},
			&cli.BoolFlag{Name: "deleted", Usage: "those that were deleted and can be had back", Destination: &f.Deleted},
			&cli.BoolFlag{Name: "shared", Usage: "those that are shared into a namespace, as they are called there", Destination: &f.Shared},
		},
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Secret, error] {
		return c.AllSecrets(ctx, f)
	}, table[api.Secret]{"PATH\tNAMESPACE\tTYPE\tVERSION\tTAGS\tNOTE\tID", func(s api.Secret) []string {
		return []string{s.KeyPath, s.Namespace, s.SecretType, fmt.Sprint(s.Version), strings.Join(s.Tags, " "), secretNote(s), s.ID}
	}})
}

// secretNote says what one has to know of a secret.
func secretNote(s api.Secret) string {
	switch {
	case s.DestroyedAt != nil:
		return "deleted, until " + s.DestroyedAt.String()
	case s.OwnerNamespace != "":
		return "of " + s.OwnerNamespace
	case s.Expired:
		return "expired"
	case s.ExpiresAt != nil:
		return "expires " + s.ExpiresAt.String()
	}
	return mark(s.IsHoneyToken, "honey")
}

// A secretName is how a command line names a secret: its argument, and flags.
type secretName struct{ filter client.SecretFilter }

func (n *secretName) flags(more ...cli.Flag) []cli.Flag {
	return append(more, namespaceFlag(&n.filter.Namespace, "the `NAME` of the secret's namespace"))
}

// find returns the one secret of a path, or of an id.
func (n *secretName) find(ctx context.Context, c *client.Client, name string) (api.Secret, error) {
	byPath := n.filter
	byPath.Prefix = name
	var found []api.Secret
	for s, err := range c.AllSecrets(ctx, byPath) {
		if err != nil {
			return s, err
		}
		if s.KeyPath != name {
			break // the shortest comes first
		}
		found = append(found, s)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return api.Secret{}, n.several(name, found)
	case uuid.Validate(name) == nil:
		return n.findID(ctx, c, name)
	}
	return api.Secret{}, about("secret", name, errNotFound)
}

// errNotFound is what the server would say.
var errNotFound = &api.Error{Status: 404, Code: api.NotFound, Message: "not found"}

func (n *secretName) findID(ctx context.Context, c *client.Client, id string) (api.Secret, error) {
	for s, err := range c.AllSecrets(ctx, n.filter) {
		if err != nil || s.ID == id {
			return s, err
		}
	}
	return api.Secret{}, about("secret", id, errNotFound)
}

// versions finds a secret and returns it with its values, newest first, without
// themselves.
func (n *secretName) versions(ctx context.Context, c *client.Client, name string) (api.Secret, []api.SecretVersion, error) {
	s, err := n.find(ctx, c, name)
	if err != nil {
		return s, nil, err
	}
	rows, err := c.SecretVersions(ctx, s.ID)
	return s, rows, about("secret", s.KeyPath, err)
}

// several says how to tell secrets of one path apart.
func (n *secretName) several(path string, found []api.Secret) error {
	var which []string
	for _, s := range found {
		if n.filter.Deleted {
			which = append(which, printableID(s.ID))
		} else {
			which = append(which, printable(s.Namespace))
		}
	}
	list := strings.Join(which, ", ")
	if n.filter.Deleted {
		return client.WithHint(fmt.Errorf("several deleted secrets had the path %s: %s", printable(path), list), "name one by its id")
	}
	return client.WithHint(fmt.Errorf("secret %s stands in several namespaces: %s", printable(path), list), "say which one: --namespace NAME")
}

func secretGet() *cli.Command {
	var f adminFlags
	var name secretName
	var show reveal
	var version int64
	return f.verb(&cli.Command{
		Name: "get", ArgsUsage: "SECRET",
		Usage: "show what there is to know of a secret, or its value",
		Description: `Without --reveal the value is not asked for. With it the value is all that is shown;
the server records who read it.

Examples:
   cortex secret get db/password
   cortex secret get db/password --reveal
   cortex secret get tls/key --reveal=pipe > key.pem`,
		Flags: name.flags(
			&cli.GenericFlag{Name: "reveal", Usage: "show the value on the terminal; with =pipe, write it wherever standard output leads", Value: &show},
			&cli.Int64Flag{Name: "version", Usage: "reveal the value of version `N`", DefaultText: "the current one", Destination: &version},
		),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		if version != 0 && show == hidden {
			return usage(cmd, errors.New("--version goes with --reveal: for what there is, cortex secret versions"))
		}
		if err := show.may(cmd); err != nil {
			return err
		}
		s, err := name.find(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		switch {
		case show != hidden:
			return revealSecret(ctx, cmd, c, s, version, f.json)
		case f.json:
			return writeJSON(cmd.Root().Writer, s)
		}
		return writeSecret(cmd, s)
	})
}

func writeSecret(cmd *cli.Command, s api.Secret) error {
	return writeFields(cmd.Root().Writer,
		"path", s.KeyPath, "namespace", s.Namespace, "id", s.ID, "type", s.SecretType, "version", fmt.Sprint(s.Version),
		"description", textOr(s.Description), "tags", strings.Join(s.Tags, " "), "created", s.CreatedAt.String(), "known hosts", strings.Join(s.KnownHosts, "; "), "note", secretNote(s))
}
