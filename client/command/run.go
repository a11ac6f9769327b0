package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/proof"
)

// runFlags are the flags of run.
type runFlags struct {
	project, url, envFile, sock string
	dir                         string // of the project file, if there is one

	names   runNames
	exposed []string // files on a disk, VARIABLE=PATH from this directory
	canary  bool
	noMask  bool
	json    bool
	wait    waitFlag
	timeout timeFlag
}

func runCommand() *cli.Command {
	var f runFlags
	cmd := &cli.Command{
		Name:      "run",
		Usage:     "run a command with a project's secrets in its environment",
		ArgsUsage: "-- COMMAND [ARGS...]",
		Description: `Has the daemon start COMMAND here: in this directory, with this environment,
these streams and signals, and with the secrets the project may have. The names
it asks for come from .env, else .env.example, in this directory; values in
these files are not used, and are not sent anywhere. The secrets do not pass
through this process. What the flags leave open, .cortex.toml may say, here or
above: see cortex allow.

The exit status is COMMAND's, 128 and the signal's number if a signal ended it,
127 if there is no such command, 126 if it cannot be executed, 124 if --timeout
ended it: with SIGTERM, and with SIGKILL five seconds later. When this process
ends, however it does, so does everything that COMMAND has started.

Where COMMAND prints the value of a secret, NAME stands there instead, as in
‹cortex:NAME›, also where it prints it as base64, hex and the like. --no-mask is
for projects whose administrator allows it.

With --ssh, COMMAND has an SSH agent (SSH_AUTH_SOCK) of which ssh, git and rsync log in to
the hosts that an administrator listed for the key. The key itself stays in the vault.

With --file, a secret is not in COMMAND's environment but in a file that is in memory
only: it can be opened as often as one likes, cannot be changed, and is gone with the
run. So is a configuration file, with --template, that the vault makes of a template and
of values the project may have. A variable holds the path, and an argument of COMMAND that has
{{VARIABLE}} in it gets the path there. With --stdin, a secret is all that COMMAND reads as its
standard input. All three work on Linux.

With --template-file, what --template makes is a file on a disk, for programs that take no
other: in this directory or below, with a path that leads over no link and where nothing is yet. It is
there as long as COMMAND runs. The project has to allow it, and the vault records it.

With --canary, COMMAND has no secrets but values that are made up, which look like
cortex-canary-0123…, in CORTEX_CANARY and, on Linux, in the file CORTEX_CANARY_FILE: to see
what becomes of a value. It needs no project, and nobody's approval.

The first run of a project fails until an administrator has approved it. With --wait
it says what is to be approved, and runs COMMAND as soon as that is. So it is with a
COMMAND that is not approved, in a project where commands have to be: see cortex pin.

Examples:
   cortex run -- npm test
   cortex run --project my-app --url https://vault.example.com -- python3 main.py
   cortex run --project my-app --env-file deploy.env -- sh -c 'curl -H "Authorization: Bearer $TOKEN" $URL'
   cortex run --project my-app --wait=1h -- make deploy
   cortex run --project my-app --only TOKEN --env DATABASE_URL=STAGING_DATABASE_URL -- ./migrate
   cortex run --project my-app --no-inherit --timeout 10m -- npm test
   cortex run --project my-app --file TLS_KEY=TLS_KEY_FILE -- ./serve --key '{{TLS_KEY_FILE}}'
   cortex run --project my-app --template app/config=APP_CONFIG -- ./serve --config '{{APP_CONFIG}}'
   cortex run --project my-app --template app/config=APP_CONFIG --template-file APP_CONFIG=config/app.yaml -- ./serve
   cortex run --project my-app --stdin REGISTRY_PASSWORD -- docker login --username ci --password-stdin
   cortex run --project my-app --ssh DEPLOY_KEY -- git clone git@git.example.com:app.git
   cortex run --canary -- make test 2>&1 | grep cortex`,
		Flags: slices.Concat(f.daemonFlags(), f.names.flags(), []cli.Flag{
			&cli.StringFlag{Name: "env-file", Usage: "read the names from `FILE`", DefaultText: ".env, else .env.example, if there is one", Sources: cli.EnvVars("CORTEX_ENV_FILE"), Destination: &f.envFile, TakesFile: true},
			&cli.BoolFlag{Name: "canary", Usage: "in place of secrets, give COMMAND values that the daemon makes up", Destination: &f.canary},
			&cli.BoolFlag{Name: "no-mask", Usage: "do not mask what COMMAND prints", Sources: cli.EnvVars("CORTEX_NO_MASK"), Destination: &f.noMask},
			&cli.GenericFlag{Name: "wait", Usage: "wait for an approval, ten minutes or `HOW-LONG`: --wait=1h", Value: &f.wait, DefaultText: "do not wait"},
			eventsFlag(&f.json),
			&cli.GenericFlag{Name: "timeout", Usage: "end COMMAND after `HOW-LONG`, with exit status 124", Value: &f.timeout, DefaultText: "none"},
		}),
		// Behind the command's name every flag is the command's, with or
		// without "--" before it.
		StopOnNthArg: new(1),
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error { return f.run(ctx, cmd) }
	return cmd
}

// daemonFlags say whose secrets, and of which daemon.
func (f *runFlags) daemonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "project", Usage: "the project's `NAME`", DefaultText: "what .cortex.toml says", Sources: cli.EnvVars("CORTEX_PROJECT"), Destination: &f.project},
		&cli.StringFlag{Name: "url", Usage: "the server's `URL`: the run is refused if the daemon is enrolled elsewhere", Sources: cli.EnvVars("CORTEX_URL"), Destination: &f.url},
		sockFlag(&f.sock),
	}
}

func eventsFlag(dst *bool) cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "say on stderr in JSON, a line for each event, what is to be said", Destination: dst}
}

// check refuses what cannot be meant: an empty URL is a variable that is not set,
// and would switch the check of the server off.
func (f runFlags) check(cmd *cli.Command) error {
	for name, value := range map[string]string{"url": f.url, "env-file": f.envFile, "sock": f.sock} {
		if value == "" && cmd.IsSet(name) {
			return usage(cmd, fmt.Errorf("--%s is empty", name))
		}
	}
	if f.project == "--" {
		return usage(cmd, errors.New("--project has no value"))
	}
	if !proof.ValidName(f.project) {
		return usage(cmd, errBadProject)
	}
	return nil
}

var errBadProject = errors.New("bad project name: use 1 to 128 of A-Z a-z 0-9 _ . - and no dot in front")

func (f runFlags) run(ctx context.Context, cmd *cli.Command) error {
	if !cmd.Args().Present() {
		return usage(cmd, errors.New("no command to run"))
	}
	if err := f.names.check(); err != nil {
		return usage(cmd, err)
	}
	if f.canary {
		return f.runWithCanary(ctx, cmd)
	}
	if err := f.complete(cmd); err != nil {
		return err
	}
	if err := f.check(cmd); err != nil {
		return err
	}
	entries, found, err := f.entries(ctx)
	if err == nil {
		entries, err = f.names.choose(entries)
	}
	if err != nil {
		return err
	}
	if !found && !f.names.asks() {
		f.warn(cmd, "neither .env nor .env.example is here: the command gets no secrets")
	}
	if f.exposed, err = f.names.exposed(); err != nil {
		return err
	}
	r, err := f.request(cmd, dotenv.EntryNames(entries), cmd.Args().Slice())
	if err != nil {
		return err
	}
	f.shape(&r.request, entries)
	defer r.close()
	r.takeFurther()
	f.warnLeft(cmd, r.left)
	return finishRun(cmd, r, ctx)
}

// warn says what is no error.
func (f runFlags) warn(cmd *cli.Command, text string) {
	if f.json {
		writeJSON(cmd.Root().ErrWriter, runEvent{Event: "warning", Error: text})
		return
	}
	say(cmd, "cortex: %s", oneLine(text))
}

// entries returns the names that may be asked for, and reports whether anything
// says which.
func (f runFlags) entries(ctx context.Context) ([]dotenv.Entry, bool, error) {
	if f.names.listed != nil {
		return blanks(f.names.listed), true, nil
	}
	return wantedNames(ctx, f.envFile, f.dir)
}

// request describes a run of a command.
func (f runFlags) request(cmd *cli.Command, names, command []string) (*runRequest, error) {
	if f.sock == "" {
		f.sock = socketPath()
	}
	r, err := newRunRequest(f.sock, f.project, f.url, names, command)
	if err != nil {
		return nil, err
	}
	r.request.NoMask, r.request.Offline = &f.noMask, true
	tell := tellNews
	if r.asJSON = f.json; r.asJSON {
		tell = tellEvents
	}
	r.news = func(m ipc.Response) { tell(cmd, r, m) }
	return r, nil
}

// shape makes the request what the flags say, for the names that are asked for.
func (f runFlags) shape(r *ipc.Request, entries []dotenv.Entry) {
	env := f.names.inherit(ipc.Strings(r.Env))
	r.Env, r.Needed, r.Aliases = ipc.Texts(env), f.names.needed(entries, env), f.names.aliases
	r.Wait, r.Timeout, r.SSH = time.Duration(f.wait.timeFlag), time.Duration(f.timeout), f.names.ssh
	if f.names.handsOver() {
		r.V, r.Files, r.Templates, r.Stdin = ipc.VersionFiles, f.names.files, f.names.templates, f.names.stdin
	}
	if len(f.exposed) > 0 {
		r.V, r.TemplateFiles = ipc.VersionExposed, f.exposed
	}
}

// finishRun sends a run and turns its end into this command's.
func finishRun(cmd *cli.Command, r *runRequest, ctx context.Context) error {
	status, err := r.send(ctx)
	if r.asJSON {
		return tellEnd(cmd, r.key, status, err)
	}
	if w, ok := errors.AsType[waitingError](err); ok {
		w.tell(cmd)
		return &ExitError{Code: 1}
	}
	if err != nil {
		return err
	}
	if status != 0 {
		return &ExitError{Code: status, key: r.key}
	}
	return nil
}

// tellNews says what the daemon had to say before the command runs.
func tellNews(cmd *cli.Command, r *runRequest, m ipc.Response) {
	if m.Waiting {
		r.waiting(m).tell(cmd)
		say(cmd, "cortex: waiting up to %s for a decision", duration(r.request.Wait))
	}
	if m.Queued {
		say(cmd, "cortex: the daemon serves as many clients as it may: waiting up to %s for one of them to end", duration(placeTimeout))
	}
	if m.Offline != nil {
		say(cmd, "cortex: the server %s is away: going on with what is held since %s, until %s", printable(m.ServerURL), printable(m.Offline.Since), printable(m.Offline.Until))
	}
	if len(m.Missing) > 0 {
		tellMissing(cmd, m)
	}
	if len(m.SSHKeys) > 0 {
		say(cmd, "cortex: warning: no variable holds an SSH key: the command runs without %s", printableNames(m.SSHKeys))
		say(cmd, "cortex: hint: to give it an agent for the key: --ssh %s", printable(strings.Join(m.SSHKeys, ",")))
	}
	if len(m.Stripped)+len(m.StrippedPath) > 0 {
		tellStripped(cmd, m)
	}
	if m.Refused != "" {
		tellRefused(cmd, r, m)
	}
	if len(m.Withheld) > 0 {
		tellWithheld(cmd, m)
	}
	if len(m.Piped) > 0 {
		tellPiped(cmd, m)
	}
	if len(m.Unmasked) > 0 {
		say(cmd, "cortex: warning: too short or too common to be masked: %s", printableNames(m.Unmasked))
	}
}

// tellRefused says what the command's SSH agent did not do. The command runs, and
// its terminal may be one where a line does not begin at the left by itself.
func tellRefused(cmd *cli.Command, r *runRequest, m ipc.Response) {
	end := ""
	if r.terminal.taken() {
		end = "\r"
	}
	say(cmd, "cortex: ssh: %s%s", printable(m.Refused), end)
	if m.Hint != "" {
		say(cmd, "cortex: hint: %s%s", printable(m.Hint), end)
	}
}

// tellMissing says which variables the command runs without.
func tellMissing(cmd *cli.Command, m ipc.Response) {
	if m.GrantID != "" {
		say(cmd, "cortex: warning: the command runs without %s, which may have to be approved", printableNames(m.Missing))
		say(cmd, "cortex: hint: %s", approveHint(m.ServerURL, m.GrantID))
		return
	}
	say(cmd, "cortex: warning: the vault has no secret for %s: the command runs without", printableNames(m.Missing))
}

// jsonNames returns names as a JSON array without anything a terminal might
// obey: they have been at a server.
func jsonNames(names []string) string {
	if names == nil {
		names = []string{}
	}
	b, err := json.Marshal(names)
	if err != nil {
		return "[]" // unreachable: strings always encode
	}
	var out strings.Builder
	for _, r := range string(b) {
		if unicode.IsPrint(r) || r > 0xffff {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// oneWord is an id as it is, or quoted if it is none.
func oneWord(id string) string {
	if proof.ValidName(id) {
		return id
	}
	return fmt.Sprintf("%q", id)
}
