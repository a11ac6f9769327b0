package command

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client/identity"
)

func daemonLogout() *cli.Command {
	cmd := &cli.Command{
		Name:  "logout",
		Usage: "forget this host's session",
		Description: `Deletes the session file; the agent's key stays. A daemon that runs keeps its
session until it is stopped, and the server knows nothing of this: an
administrator ends a session there by deleting the device.

Example:
   cortex daemon logout`,
	}
	cmd.Action = func(_ context.Context, cmd *cli.Command) error {
		dir := identity.Dir()
		there, err := identity.DeleteSession(dir)
		if err != nil {
			return fmt.Errorf("deleting the session: %w", err)
		}
		if there {
			say(cmd, "deleted %s", identity.SessionPath(dir))
		}
		return nil
	}
	return cmd
}
