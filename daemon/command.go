package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/vault/harden"
)

// Command returns the verb that runs the daemon. It returns at SIGTERM, SIGINT,
// SIGQUIT or SIGABRT, when all programs were ended, or with an error if it cannot
// begin.
func Command() *cli.Command {
	var cfg Config
	return &cli.Command{
		Name:  "daemon",
		Usage: "run this host's daemon, which starts programs with their secrets",
		Description: `Runs until it is stopped, in the foreground. It needs the login that
"cortex daemon login" leaves behind, and serves cortex run on a socket that
only its own user can use. While the server is away it keeps trying.

Programs never get more privileges than the daemon: set-user-id programs gain
nothing inside a run.

Examples:
   cortex daemon
   cortex daemon --sock $XDG_RUNTIME_DIR/cortex/agent.sock`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "sock", Local: true, Usage: "listen on `SOCKET`", DefaultText: "agent.sock in $CORTEX_HOME or ~/.cortex", Sources: cli.EnvVars("CORTEX_DAEMON_SOCK"), Destination: &cfg.Sock, TakesFile: true},
			&cli.StringFlag{Name: "group", Local: true, Usage: "let members of `GROUP` use the socket, too", Destination: &cfg.Group},
			&cli.StringSliceFlag{Name: "spawner", Local: true, Usage: "have programs started by the spawner at `SOCKET`, as its user, one at a time; also several times", Destination: &cfg.Spawners, TakesFile: true},
			&cli.IntFlag{Name: "max-connections", Local: true, Usage: "carry out at most `N` requests at a time", DefaultText: "64 to 512, as open files allow", Sources: cli.EnvVars("CORTEX_DAEMON_MAX_CONNECTIONS"), Destination: &cfg.MaxConnections},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := harden.Refuse(os.Environ()); err != nil {
				return err
			}
			cfg.Hardening = harden.Process(harden.Options{})
			cfg.Log = slog.New(slog.NewTextHandler(cmd.Root().ErrWriter, nil))
			cfg.Hardening.Log(cfg.Log)
			cfg.Version = cmd.Root().Version
			cfg.Adopt = true
			return run(ctx, cfg)
		},
	}
}

func run(ctx context.Context, cfg Config) error {
	ctx, stop := harden.Outliving(ctx)
	defer stop()
	d, err := New(cfg)
	if err != nil {
		return fmt.Errorf("starting the daemon: %w", err)
	}
	defer d.Close()
	return d.Run(ctx)
}
