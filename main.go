// Command cortex is a secrets vault for people who let AI agents run their
// code: the vault host, the agent host's daemon, and the command line, in one
// binary. The name it is called by picks the role.
package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client/command"
	"github.com/cortex-auth/cortex/daemon"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/server"
	"github.com/cortex-auth/cortex/vault/harden"
)

func main() {
	os.Exit(run(os.Args, os.Stderr))
}

// run plays the role that args[0] names and returns the exit status.
func run(args []string, stderr io.Writer) int {
	if err := harden.Raised(); err != nil {
		command.Report(stderr, err)
		return 1
	}
	switch filepath.Base(args[0]) {
	case spawn.Name:
		return spawn.Monitor()
	case spawn.SpawnerName:
		return spawn.Spawner()
	}
	ctx, stop := harden.UntilSignal(context.Background(), syscall.SIGHUP) // first of all: until then SIGQUIT dumps stacks
	defer stop()
	return command.Main(ctx, root(args), args, stderr)
}

// root returns what understands a command line: that of the role it names.
func root(args []string) *cli.Command {
	var cmd *cli.Command
	name := filepath.Base(args[0])
	switch name {
	case "cortex-server":
		cmd = server.Command()
	case "cortex-daemon":
		cmd = daemonRole()
	case "cortex-cli":
		verbs := append(command.Verbs(args), command.Verb{Name: "daemon", Make: command.Daemon})
		cmd = &cli.Command{Usage: "use a cortex server and its daemon", Commands: command.Needed(args, verbs...)}
	default:
		name = "cortex"
		cmd = &cli.Command{Usage: "a secrets vault for agents", Commands: command.Needed(args, append(command.Verbs(args), roles()...)...)}
	}
	cmd.Name, cmd.Version = name, version()
	if command.MayComplete(args, cmd) {
		cmd.EnableShellCompletion, cmd.ConfigureShellCompletionCommand = true, command.Completion(name)
	}
	return command.Strict(cmd)
}

// roles returns the verbs that only the one name for all of them has.
func roles() []command.Verb {
	verifyAudit := func() *cli.Command { return server.VerifyAuditCommand(command.VerifyAudit()) }
	return []command.Verb{
		{Name: "dev", Make: command.Dev},
		{Name: "serve", Make: server.Command},
		{Name: "daemon", Make: daemonRole},
		{Name: "verify-audit", Make: verifyAudit},
		{Name: "restore", Make: server.RestoreCommand},
		{Name: "backup", Make: command.Backup},
	}
}

// daemonRole returns the daemon, with its own verbs.
func daemonRole() *cli.Command {
	cmd := daemon.Command()
	cmd.Commands = command.DaemonCommands()
	return cmd
}

// version returns the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
