package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client/attack"
	"github.com/cortex-auth/cortex/client/identity"
)

func doctor() *cli.Command {
	var sock, project string
	var asJSON, attacks, inside bool
	return &cli.Command{
		Name:      "doctor",
		Usage:     "look for what is wrong with this host's set-up, and say what to do",
		ArgsUsage: "[--attack [-- COMMAND [ARGS...]]]",
		Description: `Looks at the login and its files, the daemon, its service and what it could not have, the
server, its clock and its key, what this system lets programs do to each other, and what lies open in
this directory and environment. It changes nothing, needs no administrator, and shows no
value. The exit status is 1 if something does not work or is open to others; what could
be better is a warning.

With --attack it tries what the threat model says an attacker may try here, as the user
who calls it, and says for each move what stopped it, or what to do where nothing did. It
runs COMMAND as cortex run does, with made-up values in place of secrets, and attacks it,
its monitor and the daemon; COMMAND is ended by SIGTERM. No secret is at stake, and nothing
of yours is changed. The exit status is 1 if more got through than the threat model says.

With --project it tries other commands than those that are approved for the project, and,
if COMMAND is one of these, other arguments, directories, programs and variables for it.
Each that is refused waits for approval then: deny it with cortex pin deny.

Examples:
   cortex doctor
   cortex doctor --json
   cortex doctor --attack
   cortex doctor --attack -- npm run dev
   cortex doctor --attack --project app -- ./deploy.sh`,
		Flags: []cli.Flag{
			sockFlag(&sock), jsonFlag(&asJSON),
			&cli.BoolFlag{Name: "attack", Usage: "try the moves of an attacker", Destination: &attacks},
			&cli.StringFlag{Name: "project", Usage: "with --attack: the `PROJECT` whose approved commands are tried, and that says whether output may be unmasked", Destination: &project},
			&cli.BoolFlag{Name: "inside", Hidden: true, Destination: &inside}, // what --attack has done in a run
		},
		StopOnNthArg: new(1),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if inside && cmd.Args().Present() {
				root := cmd.Root()
				return exitStatus(attack.Inside(cmd.Args().Slice(), os.Stdin, root.Writer, root.ErrWriter))
			}
			if sock == "" {
				sock = socketPath()
			}
			switch {
			case attacks:
				return attackHost(ctx, cmd, sock, project, asJSON)
			case cmd.Args().Present() || project != "":
				return usage(cmd, errors.New("a command or a project is for --attack"))
			}
			c := checkUp(ctx, sock)
			if err := c.write(cmd.Root().Writer, asJSON); err != nil {
				return err
			}
			if c.bad > 0 {
				return exitStatus(1)
			}
			return nil
		},
	}
}

// exitStatus returns an exit status as an error, nil for 0.
func exitStatus(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{Code: code}
}

// How a thing is.
const (
	isFine    = "ok"
	isWarning = "warning"
	isBad     = "bad"
)

// A finding is one thing that was looked at.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, warning or bad
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // what to do about it
}

// A checkup is what was found, in the order in which it was looked at.
type checkup struct {
	findings []finding
	bad      int
}

func (c *checkup) fine(check, format string, args ...any) {
	c.findings = append(c.findings, finding{check, isFine, fmt.Sprintf(format, args...), ""})
}

func (c *checkup) warn(check, fix, format string, args ...any) {
	c.findings = append(c.findings, finding{check, isWarning, fmt.Sprintf(format, args...), fix})
}

func (c *checkup) fail(check, fix, format string, args ...any) {
	c.findings = append(c.findings, finding{check, isBad, fmt.Sprintf(format, args...), fix})
	c.bad++
}

// checkUp looks at everything.
func checkUp(ctx context.Context, sock string) *checkup {
	c := &checkup{}
	var login *identity.Session
	if sock != systemSock { // whose login is not this user's to see
		login = c.login()
	}
	a := c.daemon(ctx, sock, login)
	c.hardening(a.Hardening)
	if !a.OK && sock != systemSock {
		c.memory()
	}
	c.unit(ctx, sock == systemSock)
	if login != nil {
		c.server(ctx, login.ServerURL)
	} else {
		c.heard(a)
	}
	c.host(sock == systemSock)
	c.directory(ctx)
	c.environment()
	return c
}

// write prints the findings, for people a line and perhaps what to do below it.
func (c *checkup) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, c.findings)
	}
	var text strings.Builder
	for _, f := range c.findings {
		fmt.Fprintf(&text, "%-8s %-12s %s\n", f.State, f.Check, oneLine(f.Detail))
		if f.Fix != "" {
			fmt.Fprintf(&text, "%-8s %-12s → %s\n", "", "", oneLine(f.Fix))
		}
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return errors.Join(errors.New("writing the answer"), err)
	}
	return nil
}
