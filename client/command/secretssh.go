package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
)

// hosts returns the lines of the file of known hosts, without comments; nil if there
// is to be no change.
func (f *secretFlags) hosts(ctx context.Context, cmd *cli.Command) (*[]string, error) {
	if !cmd.IsSet("known-hosts") {
		return nil, nil
	}
	text, err := readValue(ctx, cmd, f.knownHosts)
	if err != nil {
		return nil, err
	}
	hosts := []string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			hosts = append(hosts, line)
		}
	}
	return &hosts, nil
}

func secretPublicKey() *cli.Command {
	var f adminFlags
	var name secretName
	return f.verb(&cli.Command{
		Name: "public-key", ArgsUsage: "SECRET",
		Usage: "show the public half of an SSH key",
		Description: `It is a line for authorized_keys. The value is not asked for.

Example:
   cortex secret public-key deploy_key > deploy_key.pub`,
		Flags: name.flags(),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		s, rows, err := name.versions(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		switch {
		case len(rows) == 0 || rows[0].PublicKey == "":
			return fmt.Errorf("secret %s is no SSH key", printable(s.KeyPath))
		case f.json:
			return writeJSON(cmd.Root().Writer, map[string]string{"public_key": rows[0].PublicKey})
		}
		_, err = fmt.Fprintln(cmd.Root().Writer, printable(rows[0].PublicKey))
		return err
	})
}
