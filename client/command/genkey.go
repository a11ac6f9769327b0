package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/vault/proof"
)

func genKey() *cli.Command {
	var agentID, file string
	var asJSON bool
	cmd := &cli.Command{
		Name:  "gen-key",
		Usage: "make an agent's key pair",
		Description: `Writes a new private key, mode 0600, and prints the public key, which an
administrator registers. A key file that exists is never overwritten.

Examples:
   cortex gen-key --agent-id build-bot
   cortex gen-key --agent-id build-bot --priv-key-file /etc/cortex/build-bot.key`,
		Flags: []cli.Flag{agentIDFlag(&agentID), keyFileFlag(&file), jsonFlag(&asJSON)},
	}
	cmd.Action = func(_ context.Context, cmd *cli.Command) error {
		path := keyFile(file, agentID)
		key, err := identity.Generate(path, agentID)
		if errors.Is(err, identity.ErrExists) {
			return client.WithHint(err, "to see its public key: cortex daemon login --agent-id "+agentID+" --url URL; to replace it, move the file away first")
		}
		if err != nil {
			return fmt.Errorf("making the key of agent %s: %w", agentID, err)
		}
		defer key.Destroy()
		pub := proof.EncodeKey(key.Public())
		say(cmd, "private key of agent %s: %s", agentID, path)
		say(cmd, "register the public key: %s", registerCommand("https://YOUR-SERVER", agentID, pub, "", ""))
		if asJSON {
			return writeJSON(cmd.Root().Writer, struct {
				AgentID     string `json:"agent_id"`
				AgentPub    string `json:"agent_pub"`
				PrivKeyFile string `json:"priv_key_file"`
			}{agentID, pub, path})
		}
		_, err = fmt.Fprintln(cmd.Root().Writer, pub)
		return err
	}
	return cmd
}

// registerCommand returns what an administrator types to register a key.
func registerCommand(url, agentID, pub, namespace, description string) string {
	line := "cortex agent add " + agentID + " --key=" + pub
	if namespace != "" {
		line += " --namespace " + namespace
	}
	if description != "" {
		line += " --description " + shellQuote(description)
	}
	return line + " --url " + url
}

// shellWord is s as a word for a POSIX shell, in quotes where it needs some.
func shellWord(s string) string {
	if proof.ValidPath(s) {
		return s
	}
	return shellQuote(s)
}

// shellQuote makes one word of s for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
