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
	personal, print, uninstall, force, json bool
}

func installDaemon() *cli.Command {
	var f installFlags
	return &cli.Command{
		Name:  "daemon",
		Usage: "have the system start this host's daemon, now and at each login",
		Description: `With --personal the daemon is a service of yours: of your systemd on Linux, of
launchd on macOS. It starts this very program, which must be in a place that
only you or root can write to. CORTEX_HOME and CORTEX_DAEMON_SOCK stay what they
are now. Typed again it changes nothing; after an update of the program at
another place it takes that one. What you have edited is left alone without
--force.

Examples:
   cortex install daemon --personal
   cortex install daemon --personal --print
   cortex install daemon --personal --uninstall`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "personal", Usage: "as a service of yours", Destination: &f.personal},
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
	case !f.personal:
		return usage(cmd, errors.New("say --personal"))
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
	done, err := settled(ctx, changes)
	if err != nil {
		return err
	}
	return f.tell(cmd, done)
}

// plan returns the install. To remove one it does not matter where the program is.
func (f *installFlags) plan() (*install.Install, error) {
	var program string
	if !f.uninstall {
		var err error
		if program, err = install.Program(os.Geteuid()); err != nil {
			return nil, err
		}
	}
	environment, err := placed()
	if err != nil {
		return nil, err
	}
	return install.Personal(program, environment)
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
func settled(ctx context.Context, changes []install.Change) (installed, error) {
	s, err := answering(ctx, socketPath())
	if err != nil {
		return installed{}, err
	}
	done := installed{Files: changes, Service: install.Service, Running: true, LoggedIn: s.LoggedIn, Next: []string{}}
	if !s.LoggedIn {
		done.Next = append(done.Next, "cortex daemon login --agent-id ID --url URL")
	}
	done.Next = append(done.Next, install.Advice()...)
	return done, nil
}

func answering(ctx context.Context, sock string) (status, error) {
	for until := time.Now().Add(settleTime); ; {
		s, err := readStatus(ctx, sock)
		switch {
		case err != nil, s.Running && !s.Silent:
			return s, err
		case time.Now().After(until):
			return s, client.WithHint(fmt.Errorf("%s was started, but nothing answers at %s", install.Service, sock), install.Logs)
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
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
		say(cmd, "running: %s, at %s", done.Service, socketPath())
	}
	for _, line := range done.Next {
		say(cmd, "next: %s", line)
	}
	return nil
}
