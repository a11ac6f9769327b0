package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

func redact() *cli.Command {
	var f runFlags
	cmd := &cli.Command{
		Name:  "redact",
		Usage: "take a project's secrets out of a text",
		Description: `Copies standard input to standard output, and puts NAME, as in ‹cortex:NAME›, in place of
the values that runs of the project were given, also where they stand in base64, hex
and the like. The daemon does it, which fetches the values for that, on the record; they
do not come to this process. The project must have been run since the daemon was started.

Examples:
   cortex redact --project my-app < debug.log > debug.redacted.log
   journalctl -u my-app | cortex redact --project my-app | less`,
		Flags: append(f.daemonFlags(), eventsFlag(&f.json)),
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error { return f.redact(ctx, cmd) }
	return cmd
}

func (f runFlags) redact(ctx context.Context, cmd *cli.Command) error {
	if err := f.complete(cmd); err != nil {
		return err
	}
	if err := f.check(cmd); err != nil {
		return err
	}
	r, err := f.request(cmd, nil, []string{"cat"})
	if err != nil {
		return err
	}
	defer r.close()
	r.request.Cmd, r.request.Env = ipc.CmdRedact, nil
	// The daemon masks what goes into pipes; ours may be a terminal.
	out, in, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	r.streams[1] = in
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(os.Stdout, out)
		out.Close()
		copied <- err
	}()
	err = finishRun(cmd, r, ctx)
	in.Close()
	if failed := <-copied; failed != nil {
		return errors.Join(err, fmt.Errorf("writing the text: %w", failed))
	}
	return err
}
