package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/install"
	"github.com/cortex-auth/cortex/daemon/ipc"
)

// An installed is what install daemon has done.
type installed struct {
	Files    []install.Change `json:"files"`
	Service  string           `json:"service"`
	Running  bool             `json:"running"`
	LoggedIn bool             `json:"logged_in"`
	Next     []string         `json:"next"` // what to type
}

func installGroup() *cli.Command {
	return &cli.Command{
		Name: "install", Usage: "have the system run the daemon",
		Description: "Example:\n   cortex install daemon --personal",
		Commands:    []*cli.Command{installDaemon()},
	}
}

// installFlags are those of install daemon.
type installFlags struct {
	personal, isolated, print, uninstall, force, json bool
	users                                             install.Users
}

func installDaemon() *cli.Command {
	var f installFlags
	return &cli.Command{
		Name:  "daemon",
		Usage: "have the system start this host's daemon, now and at each login",
		Description: `With --personal the daemon is a service of yours: of your systemd on Linux, of
launchd on macOS. CORTEX_HOME and CORTEX_DAEMON_SOCK stay what they are now.

With --isolated, for root on Linux, it is a user of its own, and each program that
runs is another one: neither the daemon's keys nor what programs know is open to
those who may use it, the members of a group, nor to other programs. Programs find
the caller's directory, and may there what those users may, who are in a group of
their own. As many programs run at a time as there are users for them.

The service starts this very program, which must be in a place where nobody else
can write. Typed again it changes nothing; after an update of the program at
another place it takes that one. What you have edited is left alone without
--force.

Examples:
   cortex install daemon --personal
   cortex install daemon --personal --print
   cortex install daemon --personal --uninstall
   sudo cortex install daemon --isolated`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "personal", Usage: "as a service of yours", Destination: &f.personal},
			&cli.BoolFlag{Name: "isolated", Usage: "as a service of the system, with users of its own", Destination: &f.isolated},
			&cli.StringFlag{Name: "user", Usage: "with --isolated: the daemon is `USER`", Value: "cortex-daemon", Destination: &f.users.Daemon},
			&cli.StringFlag{Name: "run-user", Usage: "with --isolated: programs are `USER`-1, USER-2 and so on, in the group USER", Value: "cortex-run", Destination: &f.users.Run},
			&cli.IntFlag{Name: "run-users", Usage: "with --isolated: `N` users for programs, so many run at a time", Value: 8, Destination: &f.users.Runs},
			&cli.StringFlag{Name: "group", Usage: "with --isolated: members of `GROUP` may use it", Value: "cortex", Destination: &f.users.Group},
			&cli.BoolFlag{Name: "print", Usage: "show the files, and do nothing", Destination: &f.print},
			&cli.BoolFlag{Name: "uninstall", Usage: "stop the service and remove its files", Destination: &f.uninstall},
			&cli.BoolFlag{Name: "force", Usage: "overwrite or remove what was edited, too", Destination: &f.force},
			jsonFlag(&f.json),
		},
		Action: f.run,
	}
}

func (f *installFlags) run(ctx context.Context, cmd *cli.Command) error {
	switch {
	case f.personal == f.isolated:
		return usage(cmd, errors.New("say --personal or --isolated"))
	case f.print && f.uninstall:
		return usage(cmd, errors.New("--print and --uninstall do not go together"))
	}
	i, err := f.plan()
	switch {
	case err != nil:
		return err
	case f.print:
		return f.show(cmd.Root().Writer, i)
	case f.uninstall:
		changes, err := i.Remove(ctx, f.force)
		if err != nil {
			return edited(err)
		}
		return f.tell(cmd, installed{Files: changes, Service: install.Service, Next: []string{}})
	}
	changes, err := i.Apply(ctx, f.force)
	if err != nil {
		return edited(err)
	}
	done, err := f.settled(ctx, i, changes)
	if err != nil {
		return err
	}
	return f.tell(cmd, done)
}

// plan returns the install. To remove one it does not matter where the program is.
func (f *installFlags) plan() (*install.Install, error) {
	if f.isolated {
		program, err := f.program()
		if err != nil {
			return nil, err
		}
		if os.Geteuid() != 0 && !f.print {
			return nil, client.WithHint(errors.New("only root can make users, and services of the system"), "sudo "+program+" install daemon --isolated")
		}
		return install.Isolated(program, f.users)
	}
	program, err := f.program(os.Geteuid())
	if err != nil {
		return nil, err
	}
	environment, err := placed()
	if err != nil {
		return nil, err
	}
	return install.Personal(program, environment)
}

func (f *installFlags) program(owners ...int) (string, error) {
	if f.uninstall {
		return "", nil
	}
	return install.Program(owners...)
}

// sock is where the daemon will be.
func (f *installFlags) sock() string {
	if f.isolated {
		return systemSock
	}
	return ownSock()
}

// placed returns the variables that say where the daemon's things are.
func placed() (environment []string, err error) {
	for _, name := range []string{"CORTEX_HOME", "CORTEX_DAEMON_SOCK"} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		// What it is relative to now it will not be for a service.
		if value, err = filepath.Abs(value); err != nil {
			return nil, fmt.Errorf("making %s absolute: %w", name, err)
		}
		environment = append(environment, name+"="+value)
	}
	return environment, nil
}

func edited(err error) error {
	if errors.Is(err, install.ErrEdited) {
		return client.WithHint(err, "look at it, then add --force")
	}
	return err
}

func (f *installFlags) show(w io.Writer, i *install.Install) error {
	if f.json {
		return writeJSON(w, struct {
			Files []install.File `json:"files"`
		}{i.Files})
	}
	for n, file := range i.Files {
		if n > 0 {
			fmt.Fprintln(w)
		}
		if _, err := fmt.Fprintf(w, "# %s\n%s", file.Path, file.Content); err != nil {
			return err
		}
	}
	return nil
}

// settleTime is how long the daemon may take to serve its socket.
const settleTime = 30 * time.Second

// settled waits for the daemon, and says what is left to do.
func (f *installFlags) settled(ctx context.Context, i *install.Install, changes []install.Change) (installed, error) {
	a, err := answering(ctx, f.sock())
	if err != nil {
		return installed{}, client.WithHint(err, i.Logs)
	}
	done := installed{Files: changes, Service: install.Service, Running: true, LoggedIn: a.AgentID != "", Next: []string{}}
	if !done.LoggedIn {
		done.Next = append(done.Next, i.Login)
	}
	done.Next = append(done.Next, i.Advice...)
	return done, nil
}

// answering waits until the daemon answers.
func answering(ctx context.Context, sock string) (daemonAnswer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTime, fmt.Errorf("%s was started, but nothing answers at %s", install.Service, sock))
	defer cancel()
	for {
		a, err := askDaemon(ctx, sock, ipc.CmdStatus, askTimeout)
		if err == nil && a.OK {
			return a, nil
		}
		select {
		case <-ctx.Done():
			return a, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (f *installFlags) tell(cmd *cli.Command, done installed) error {
	if f.json {
		return writeJSON(cmd.Root().Writer, done)
	}
	for _, c := range done.Files {
		say(cmd, "%s: %s", c.State, c.Path)
	}
	if done.Running {
		say(cmd, "running: %s, at %s", done.Service, f.sock())
	}
	for _, line := range done.Next {
		say(cmd, "next: %s", line)
	}
	return nil
}
