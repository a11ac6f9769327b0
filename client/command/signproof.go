package command

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client/identity"
)

func signProof() *cli.Command {
	var agentID, file string
	keyFlag := keyFileFlag(&file)
	keyFlag.Required, keyFlag.DefaultText = true, ""
	cmd := &cli.Command{
		Name:  "sign-proof",
		Usage: "sign a discover request by hand",
		Description: `Prints one line of JSON with ts, nonce and auth_proof, for the body of
POST /agent/discover. A proof is good once, and for five minutes. Needs no network.

Example:
   cortex sign-proof --agent-id build-bot --priv-key-file ~/.cortex/agent-build-bot.key`,
		Flags: []cli.Flag{agentIDFlag(&agentID), keyFlag},
	}
	cmd.Action = func(_ context.Context, cmd *cli.Command) error {
		key, err := loadKey(file, agentID)
		if err != nil {
			return err
		}
		defer key.Destroy()
		p, err := key.Prove()
		if err != nil {
			return err
		}
		return writeJSON(cmd.Root().Writer, p)
	}
	return cmd
}

func loadKey(path, agentID string) (identity.Key, error) {
	key, err := identity.Load(path, agentID)
	if err != nil {
		return identity.Key{}, explainKey(err, agentID)
	}
	return key, nil
}
