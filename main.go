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
		cmd = daemon.Command()
		cmd.Commands = command.DaemonCommands()
	case "cortex-cli":
		cmd = &cli.Command{Usage: "use a cortex server and its daemon", Commands: append(command.All(args), command.Daemon())}
	default:
		name = "cortex"
		role := daemon.Command()
		role.Commands = command.DaemonCommands()
		cmd = &cli.Command{
			Usage:    "a secrets vault for agents",
			Commands: append(command.All(args), command.Dev(), server.Command(), role, server.VerifyAuditCommand(command.VerifyAudit()), server.RestoreCommand(), command.Backup()),
		}
	}
	cmd.Name, cmd.Version, cmd.EnableShellCompletion = name, version(), true
	cmd.ConfigureShellCompletionCommand = command.Completion(name)
	return command.Strict(cmd)
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
