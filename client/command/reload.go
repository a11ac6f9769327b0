package command

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client/install"
	"github.com/cortex-auth/cortex/daemon/ipc"
)

// reloadTimeout is how long the daemon may take to open a session.
const reloadTimeout = 15 * time.Second

// reload has a daemon that runs at a socket take up the login as it is now, and reports whether
// it did. Whatever comes of it is said.
func reload(ctx context.Context, cmd *cli.Command, sock string) bool {
	a, err := askDaemon(ctx, sock, ipc.CmdReload, reloadTimeout)
	if err != nil && a.PID == 0 && startService(ctx, cmd, sock) {
		a, err = askDaemon(ctx, sock, ipc.CmdReload, reloadTimeout)
	}
	switch {
	case err != nil && a.PID == 0:
		say(cmd, "next: start the daemon: %s", startCommand(sock))
	case err != nil:
		say(cmd, "the daemon (pid %d) does not answer: restart it: %s", a.PID, startCommand(sock))
	case a.OK:
		say(cmd, "the daemon that runs has taken up the login")
	default:
		say(cmd, "the daemon that runs has not taken up the login: %s", printable(a.Error))
		if a.Hint != "" {
			say(cmd, "hint: %s", printable(a.Hint))
		}
	}
	return err == nil && a.OK
}

// startService starts the daemon where this user has it as a service, and reports
// whether it answers then.
func startService(ctx context.Context, cmd *cli.Command, sock string) bool {
	if sock != ownSock() {
		return false
	}
	i, err := install.Personal("", nil)
	if err != nil {
		return false // there is no place for one
	}
	installed, err := i.Start(ctx)
	if !installed {
		return false
	}
	if err == nil {
		_, err = answering(ctx, sock)
	}
	if err != nil {
		say(cmd, "the daemon's service does not start: %s", printable(err.Error()))
		return false
	}
	say(cmd, "started the daemon: %s", install.Service)
	return true
}
