// Package command holds the verbs of the cortex command line, one file each.
// Data goes to the command's Writer (stdout), everything for people to its
// ErrWriter (stderr). A verb returns its error; [Report] prints it and
// [Status] turns it into the exit status, both called once, by [Main].
package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/vault/harden"
	"github.com/cortex-auth/cortex/vault/proof"
)

// DaemonCommands returns the verbs under "daemon": login, status and logout.
func DaemonCommands() []*cli.Command {
	return veiled([]*cli.Command{daemonLogin(), daemonStatus(), daemonLogout()})
}

// veiled has verbs that hold a key or values hide their memory when they begin. It
// returns all.
func veiled(all []*cli.Command) []*cli.Command {
	for _, cmd := range all {
		veiled(cmd.Commands)
		if act := cmd.Action; act != nil {
			cmd.Action = func(ctx context.Context, cmd *cli.Command) error {
				harden.Client()
				return act(ctx, cmd)
			}
		}
	}
	return all
}

// Daemon returns the group of [DaemonCommands] for a command line that cannot
// run the daemon itself.
func Daemon() *cli.Command {
	return &cli.Command{Name: "daemon", Usage: "log this host's daemon in and out, and ask how it is", Commands: DaemonCommands()}
}

// Strict makes a command and all below it treat a wrong command line alike: an
// unknown flag, verb or argument is an error with status 2 and nothing is
// printed but that. It returns root, and never ends the process.
func Strict(root *cli.Command) *cli.Command {
	root.ExitErrHandler = func(context.Context, *cli.Command, error) {}
	strict(root)
	return root
}

func strict(cmd *cli.Command) {
	if cmd.OnUsageError == nil {
		cmd.OnUsageError = func(_ context.Context, cmd *cli.Command, err error, _ bool) error {
			return usage(cmd, err)
		}
	}
	if cmd.ArgValidator == nil {
		cmd.ArgValidator = func(_ context.Context, at *cli.Command) error {
			return noArguments(cmd, at)
		}
	}
	cmd.HideHelpCommand = cmd.HideHelpCommand || len(cmd.Commands) == 0
	for _, sub := range cmd.Commands {
		strict(sub)
	}
}

// noArguments refuses arguments of a command that describes none. at is where
// the command line led: below cmd it is a command that package cli added.
func noArguments(cmd, at *cli.Command) error {
	switch {
	case at != cmd || cmd.ArgsUsage != "" || len(cmd.Arguments) > 0 || !cmd.Args().Present():
		return nil
	case len(cmd.Commands) > 0:
		return usage(cmd, fmt.Errorf("unknown command %q", cmd.Args().First()))
	}
	return usage(cmd, fmt.Errorf("unexpected argument %q", cmd.Args().First()))
}

// usage gives a mistake on the command line its exit status.
func usage(cmd *cli.Command, err error) error {
	return &ExitError{Code: 2, Err: err, Hint: cmd.FullName() + " --help"}
}

// The flags that several verbs have.

func agentIDFlag(dst *string) cli.Flag {
	return &cli.StringFlag{Name: "agent-id", Usage: "the agent's `ID`", Sources: cli.EnvVars("CORTEX_AGENT_ID"), Required: true, Destination: dst, Validator: validAgentID}
}

func validAgentID(id string) error {
	if !proof.ValidAgentID(id) {
		return identity.ErrAgentID
	}
	return nil
}

func keyFileFlag(dst *string) *cli.StringFlag {
	return &cli.StringFlag{
		Name: "priv-key-file", Usage: "the agent's private key `FILE`", DefaultText: "agent-ID.key in $CORTEX_HOME or ~/.cortex",
		Sources: cli.EnvVars("CORTEX_PRIV_KEY_FILE"), Destination: dst, TakesFile: true,
	}
}

func urlFlag(dst *string) cli.Flag {
	return &cli.StringFlag{Name: "url", Usage: "the server's `URL`", Sources: cli.EnvVars("CORTEX_URL"), Required: true, Destination: dst}
}

func sockFlag(dst *string) cli.Flag {
	return &cli.StringFlag{
		Name: "sock", Usage: "the daemon's `SOCKET`", DefaultText: "agent.sock in $CORTEX_HOME or ~/.cortex",
		Sources: cli.EnvVars("CORTEX_DAEMON_SOCK"), Destination: dst, TakesFile: true,
	}
}

func jsonFlag(dst *bool) cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON on stdout", Destination: dst}
}

// keyFile returns the named key file, or the agent's usual one.
func keyFile(named, agentID string) string {
	if named != "" {
		return named
	}
	return identity.Path(identity.Dir(), agentID)
}

// writeJSON writes v as one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}

// say writes a line for people.
func say(cmd *cli.Command, format string, args ...any) {
	fmt.Fprintf(cmd.Root().ErrWriter, format+"\n", args...)
}

// systemSock is the socket of the daemon that an administrator has installed for
// several users.
const systemSock = "/run/cortex/agent.sock"

// ownSock is the socket of this user's own daemon.
func ownSock() string {
	if sock := os.Getenv("CORTEX_DAEMON_SOCK"); sock != "" {
		return sock
	}
	return filepath.Join(identity.Dir(), "agent.sock")
}

// socketPath returns the daemon's usual socket: this user's, or the system's if
// there is only that.
func socketPath() string {
	own := ownSock()
	if os.Getenv("CORTEX_DAEMON_SOCK") == "" && !there(own) && there(systemSock) {
		return systemSock
	}
	return own
}

// daemonSock returns the socket that a verb of the daemon's was given, before its
// name or behind it, or the usual one.
func daemonSock(cmd *cli.Command, given string) string {
	for _, above := range cmd.Lineage()[1:] {
		given = cmp.Or(given, above.String("sock"))
	}
	return cmp.Or(given, socketPath())
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
