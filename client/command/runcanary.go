package command

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/proof"
)

// runWithCanary runs a command with values that the daemon makes up.
func (f runFlags) runWithCanary(ctx context.Context, cmd *cli.Command) error {
	if f.names.asks() || len(f.names.only) > 0 || f.envFile != "" || f.wait.timeFlag != 0 {
		return usage(cmd, errors.New("--canary is in place of secrets: leave out --only, --env, --file, --template, --stdin, --ssh, --env-file and --wait"))
	}
	if f.noMask && f.project == "" {
		return usage(cmd, errors.New("whether output may be unmasked is a project's to say: name it with --project"))
	}
	if f.project != "" && !proof.ValidName(f.project) {
		return usage(cmd, errBadProject)
	}
	r, err := f.request(cmd, nil, cmd.Args().Slice())
	if err != nil {
		return err
	}
	defer r.close()
	r.request.V, r.request.Canary = ipc.VersionCanary, true
	r.request.Env, r.request.Timeout = ipc.Texts(f.names.inherit(ipc.Strings(r.request.Env))), time.Duration(f.timeout)
	r.takeFurther()
	f.warnLeft(cmd, r.left)
	return finishRun(cmd, r, ctx)
}
