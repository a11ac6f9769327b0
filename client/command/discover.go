package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
)

// discoverFlags are the flags of discover.
type discoverFlags struct {
	project, url, pin, agentID, keyFile, envFile string
	regenerate, save, json                       bool
}

func discover() *cli.Command {
	var f discoverFlags
	cmd := &cli.Command{
		Name:  "discover",
		Usage: "get a project's token without the daemon",
		Description: `Asks the server for a project's token and prints it. The names the project
needs come from .env, else .env.example, in this directory; only names are sent.

A server accepts this from attested daemons only, unless it runs with
CORTEX_DISABLE_REQUEST_SIGNING=1. To run a command with its secrets, use
cortex run instead.

Examples:
   cortex discover --project my-app --url https://vault.example.com --agent-id build-bot
   cortex discover --project my-app --url http://127.0.0.1:3000 --agent-id build-bot --env-file deploy.env --regenerate`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "project", Usage: "the project's `NAME`", Sources: cli.EnvVars("CORTEX_PROJECT"), Required: true, Destination: &f.project},
			urlFlag(&f.url), pinFlag(&f.pin), agentIDFlag(&f.agentID), keyFileFlag(&f.keyFile),
			&cli.StringFlag{Name: "env-file", Usage: "read the names from `FILE`", DefaultText: ".env, else .env.example, if there is one", Sources: cli.EnvVars("CORTEX_ENV_FILE"), Destination: &f.envFile, TakesFile: true},
			&cli.BoolFlag{Name: "regenerate", Usage: "replace an active token", Destination: &f.regenerate},
			&cli.BoolFlag{Name: "save", Usage: "also write the token to ~/.cortex-token-PROJECT", Destination: &f.save},
			jsonFlag(&f.json),
		},
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error { return runDiscover(ctx, cmd, f) }
	return cmd
}

func runDiscover(ctx context.Context, cmd *cli.Command, f discoverFlags) error {
	if !proof.ValidName(f.project) {
		return usage(cmd, errBadProject)
	}
	c, err := connect(f.url, f.pin, opaque.Bytes{})
	if err != nil {
		return err
	}
	entries, _, err := wantedNames(ctx, f.envFile)
	if err != nil {
		return err
	}
	out, err := askDiscover(ctx, c, f, dotenv.EntryNames(entries))
	if err != nil {
		return explainDiscover(err, c, f)
	}
	defer out.ProjectToken.Wipe()
	if f.save {
		if err := saveToken(cmd, f.project, out.ProjectToken); err != nil {
			return err
		}
	}
	say(cmd, "token expires %s UTC (in %d s)", out.TokenExpiresAt, out.TokenTTLSeconds)
	if len(out.UnmatchedKeys) > 0 {
		say(cmd, "warning: the vault has nothing for: %s", printableNames(out.UnmatchedKeys))
	}
	if f.json {
		return writeJSON(cmd.Root().Writer, out)
	}
	return printSecret(cmd.Root().Writer, out.ProjectToken)
}

func askDiscover(ctx context.Context, c *client.Client, f discoverFlags, names []string) (api.DiscoverResponse, error) {
	key, err := loadKey(keyFile(f.keyFile, f.agentID), f.agentID)
	if err != nil {
		return api.DiscoverResponse{}, err
	}
	defer key.Destroy()
	p, err := key.Prove()
	if err != nil {
		return api.DiscoverResponse{}, err
	}
	in := api.DiscoverRequest{
		AgentID: f.agentID, AuthProof: p.AuthProof, TS: &p.TS, Nonce: &p.Nonce,
		Context: api.DiscoverContext{ProjectName: f.project, FileContent: dotenv.Form(names)},
	}
	if f.regenerate {
		in.RegenerateToken = &f.regenerate
	}
	return c.Discover(ctx, in, nil)
}

func saveToken(cmd *cli.Command, project string, token api.Value) error {
	home, err := os.UserHomeDir()
	if err != nil {
		return fmt.Errorf("saving the token: %w", err)
	}
	path := filepath.Join(home, ".cortex-token-"+project)
	if err := identity.ReplaceFile(path, token.Reveal()); err != nil {
		return fmt.Errorf("saving the token: %w", err)
	}
	say(cmd, "token saved in %s", path)
	return nil
}

// printSecret writes a value and a newline in one piece.
func printSecret(w io.Writer, v api.Value) error {
	line := opaque.New(append(append(make([]byte, 0, v.Len()+1), v.Reveal()...), '\n'))
	defer line.Wipe()
	_, err := w.Write(line.Reveal())
	return err
}

// printableNames joins names for the terminal: they come from a file and back
// from a server.
func printableNames(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		if strings.ContainsAny(n, " ,") {
			quoted[i] = pinned.Quoted(n)
		} else {
			quoted[i] = printable(n)
		}
	}
	return strings.Join(quoted, ", ")
}

// printable returns s for the terminal: as it is, or quoted if it holds what
// could play tricks there, blanks among them that nobody would notice.
func printable(s string) string {
	if q := pinned.Quoted(s); q != `"`+s+`"` {
		return q
	}
	return s
}
