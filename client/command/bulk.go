package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func secretImport() *cli.Command {
	var f adminFlags
	var in api.Bulk
	return f.verb(&cli.Command{
		Name: "import", ArgsUsage: "FILE",
		Usage: "keep the secrets of a file, all of them or none",
		Description: `Of a .env file each NAME=value is a secret. Of a JSON object texts are, and objects and
arrays, as a JSON_CONFIG. The file - is standard input. What becomes of each is shown,
without values; with --dry-run that is all, and the exit status is 1 if it would not
be done.

Examples:
   cortex secret import .env --prefix my-app/ --lowercase --dry-run
   cortex secret import secrets.json --on-conflict update`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of the file: dotenv or json", DefaultText: "by its name", Destination: &in.Format},
			namespaceFlag(&in.Namespace, "the `NAME` of the namespace to keep them in"),
			&cli.StringFlag{Name: "prefix", Usage: "`TEXT` in front of each name, to make its path", Destination: &in.Prefix},
			&cli.BoolFlag{Name: "lowercase", Usage: "write the names in lower case", Destination: &in.Lowercase},
			&cli.StringFlag{Name: "on-conflict", Usage: "`WHAT` to do about a secret that is there with another value: fail, skip or update", Value: "fail", Destination: &in.OnConflict},
			&cli.BoolFlag{Name: "dry-run", Usage: "change nothing, and show what would be done", Destination: &in.DryRun},
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		file := cmd.Args().First()
		if in.Format == "" {
			in.Format = formatOf(file)
		}
		text, err := readValue(ctx, cmd, file)
		if err != nil {
			return err
		}
		defer clear(text)
		in.Content = api.NewValue(text)
		out, err := c.KeepSecrets(ctx, in)
		if err != nil {
			if errors.Is(err, api.Conflict) {
				err = client.WithHint(err, "to see which: --dry-run; to give them new values: --on-conflict update")
			}
			return fmt.Errorf("nothing was kept: %w", err)
		}
		return showBulk(cmd, out, f.json)
	})
}

func formatOf(file string) string {
	if filepath.Ext(file) == ".json" {
		return "json"
	}
	return "dotenv"
}

// showBulk shows what became of each secret, or would.
func showBulk(cmd *cli.Command, out api.BulkResult, asJSON bool) error {
	if err := writeBulk(cmd, out, asJSON); err != nil {
		return err
	}
	if len(out.Conflicts)+len(out.Invalid) > 0 {
		return errors.New("nothing would be kept: some are invalid, or there with another value (--on-conflict)")
	}
	if out.DryRun {
		say(cmd, "cortex: nothing was changed")
	}
	return nil
}

func writeBulk(cmd *cli.Command, out api.BulkResult, asJSON bool) error {
	if asJSON {
		return writeJSON(cmd.Root().Writer, out)
	}
	var rows [][]string
	for _, group := range []struct {
		what  string
		paths []string
	}{{"create", out.Created}, {"update", out.Updated}, {"same", out.Unchanged}, {"skip", out.Skipped}, {"conflict", out.Conflicts}} {
		for _, path := range group.paths {
			rows = append(rows, []string{group.what, path})
		}
	}
	for _, p := range out.Invalid {
		rows = append(rows, []string{"invalid", p.Name + " " + p.Reason})
	}
	return table[[]string]{cells: func(row []string) []string { return row }}.write(cmd.Root().Writer, rows)
}
