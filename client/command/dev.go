package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/token"
)

// What dev calls the one agent and the one project of its vault.
const (
	devAgent   = "dev"
	devProject = "dev"
)

type devFlags struct {
	envFile string
	sets    []string
}

// Dev returns the verb that plays every role at once. It is for the one command
// line that knows them all.
func Dev() *cli.Command {
	var f devFlags
	cmd := &cli.Command{
		Name:      "dev",
		Usage:     "try everything on this machine, with a vault that is thrown away",
		ArgsUsage: "[-- COMMAND ARGS...]",
		Description: `Starts a vault and a daemon on the loopback interface, puts the given values
into the vault, enrols an agent, approves it, and runs COMMAND with the values
in its environment. All of it is real; the directory it lives in is removed at
the end. Without COMMAND it prints the server's address and the admin token
and stays until Ctrl-C.

The value in --set NAME=VALUE can be seen in the list of processes and in the
shell's history: it is for demonstrations. --set NAME takes it from the
environment or asks for it.

Examples:
   cortex dev --env-file .env -- npm start
   cortex dev --set OPENAI_API_KEY -- python3 main.py`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env-file", Usage: "take values from `FILE`, lines of NAME=VALUE", Destination: &f.envFile, TakesFile: true},
			&cli.StringSliceFlag{Name: "set", Usage: "take one value: `NAME`, or NAME=VALUE for demonstrations", Destination: &f.sets},
		},
		// A comma may well stand in a value.
		DisableSliceFlagSeparator: true,
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error { return f.run(ctx, cmd) }
	return veiled([]*cli.Command{cmd})[0]
}

func (f devFlags) run(ctx context.Context, cmd *cli.Command) (err error) {
	values, err := devValues(ctx, f.envFile, f.sets)
	if err != nil {
		return err
	}
	// A reader of our output that goes away must not end us before the directory
	// is removed. Programs that are started do not inherit this.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, unix.SIGPIPE)
	defer signal.Stop(broken)
	h, err := newDevHost()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	d := &devVault{devHost: h, admin: token.Random()}
	if err := d.setUp(ctx, values); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	if cmd.Args().Present() {
		return d.exec(ctx, cmd)
	}
	if err := d.describe(cmd); err != nil {
		return fmt.Errorf("dev: nobody reads where it is: %w", err)
	}
	return d.stay(ctx)
}

// A devVault is a whole cortex on this machine.
type devVault struct {
	*devHost
	admin  opaque.Bytes // the admin token
	client *client.Client
	url    string
	sock   string
	names  []string
}

// setUp brings everything to the point where a run succeeds.
func (d *devVault) setUp(ctx context.Context, values []devValue) error {
	if err := d.serve(ctx); err != nil {
		return err
	}
	for _, v := range values {
		_, err := d.client.CreateSecret(ctx, api.CreateSecret{
			KeyPath: v.path(), SecretType: api.KeyValue, Value: api.NewValue(v.value.Reveal()),
		})
		v.value.Wipe()
		if err != nil {
			return fmt.Errorf("keeping %s: %w", v.name, err)
		}
	}
	if err := d.enrol(ctx); err != nil {
		return fmt.Errorf("enrolling the agent: %w", err)
	}
	var err error
	if d.sock, err = d.start(ctx, "cortex-daemon", "X_CORTEX_SOCK", d.env(), opaque.Bytes{}, opaque.Bytes{}); err != nil {
		return err
	}
	for _, v := range values {
		d.names = append(d.names, v.name)
	}
	if len(values) == 0 {
		return nil
	}
	return d.approve(ctx)
}

// env is what the agent's side of it needs to know.
func (d *devVault) env() []string { return []string{"CORTEX_HOME=" + d.path("home")} }

// serve starts the vault host, under a password that nobody knows.
func (d *devVault) serve(ctx context.Context) (err error) {
	password := token.Random()
	defer password.Wipe()
	d.url, err = d.start(ctx, "cortex-server", "X_CORTEX_URL", []string{
		"DATABASE_URL=bolt://" + d.path("vault.db"), "PORT=0", "INSECURE_HTTP=1",
		"CORTEX_REQUIRE_DEVICE_PROOF=1", "CORTEX_REQUIRE_ATTEST_PROOF=1",
		"CORTEX_KDF_PROFILE=low", "CORTEX_AUDIT_RESERVE=off", "ADMIN_TOKEN_FILE=/dev/fd/3",
	}, password, d.admin)
	if err != nil {
		return err
	}
	d.client, err = client.New(client.Config{URL: d.url, AdminToken: d.admin})
	return err
}

// enrol makes the agent's key and logs its daemon in, as a person at the agent's
// host and an administrator would.
func (d *devVault) enrol(ctx context.Context) error {
	home := d.path("home")
	key, err := identity.Generate(identity.Path(home, devAgent), devAgent)
	if err != nil {
		return err
	}
	defer key.Destroy()
	p := poll{client: d.client, key: key}
	auth, err := p.authorize(ctx, identity.Host{Origin: d.url})
	if err != nil {
		return err
	}
	if _, err := d.client.ApproveDevice(ctx, "", api.ApproveDevice{UserCode: auth.UserCode, AgentID: devAgent}); err != nil {
		return err
	}
	got, err := p.ask(ctx, auth.DeviceCode)
	if err != nil {
		return err
	}
	defer got.AccessToken.Wipe()
	_, err = saveLogin(home, key, meeting{Client: d.client}, auth, got)
	return err
}

// approve lets the project have its secrets: a first run asks, and the
// administrator says yes.
func (d *devVault) approve(ctx context.Context) error {
	r, err := d.request("true")
	if err != nil {
		return err
	}
	defer r.close()
	if _, err = r.send(ctx); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	pending, ok := errors.AsType[*pendingError](err)
	if !ok {
		return fmt.Errorf("asking for approval: %w", err)
	}
	if _, err := d.client.ApproveGrant(ctx, pending.grantID, api.ApproveGrant{}); err != nil {
		return fmt.Errorf("approving: %w", err)
	}
	return nil
}

// request describes a run of a command here with everything it may have.
func (d *devVault) request(command ...string) (*runRequest, error) {
	return newRunRequest(d.sock, devProject, d.url, d.names, command)
}

// exec runs the command. Its end is not that of ctx: signals are the
// command's.
func (d *devVault) exec(ctx context.Context, cmd *cli.Command) error {
	r, err := d.request(cmd.Args().Slice()...)
	if err != nil {
		return err
	}
	defer r.close()
	r.takeFurther()
	runFlags{}.warnLeft(cmd, r.left)
	return finishRun(cmd, r, ctx)
}

// describe says how to use what now runs.
func (d *devVault) describe(cmd *cli.Command) error {
	_, err := fmt.Fprintf(cmd.Root().Writer, "server       %s\nadmin token  %s\ntry          cortex run --sock %s --project %s --url %s -- COMMAND\n",
		d.url, d.admin.Reveal(), shellQuote(d.sock), devProject, d.url)
	say(cmd, "cortex: everything here is gone after Ctrl-C (%s)", strings.TrimSuffix(d.dir, "/"))
	return err
}
