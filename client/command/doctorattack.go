package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/attack"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/vault/proof"
)

// systemState is where the daemon that an administrator has installed keeps its key.
const systemState = "/var/lib/cortex-daemon"

// attackHost tries the moves of the threat model, and tells what became of them.
func attackHost(ctx context.Context, cmd *cli.Command, sock, project string, asJSON bool) error {
	if project != "" && !proof.ValidName(project) {
		return usage(cmd, errBadProject)
	}
	program, err := ownProgram()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	c := attack.Config{Program: program, Sock: sock, StateDir: identity.Dir(), Project: project, Command: cmd.Args().Slice()}
	if c.Isolated, err = servedByAnother(sock); err != nil {
		return err
	}
	if c.Isolated {
		c.StateDir = systemState
	}
	if !asJSON {
		c.Progress = func(line string) { say(cmd, "cortex: %s", oneLine(line)) }
	}
	report, err := attack.Run(ctx, c)
	if err != nil {
		return err
	}
	if err := writeAttack(cmd.Root().Writer, report, asJSON); err != nil {
		return err
	}
	if !report.OK() {
		return exitStatus(1)
	}
	return nil
}

// ownProgram returns where this program is, under a name that makes it what it is.
func ownProgram() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	called, err := exec.LookPath(os.Args[0])
	if err == nil {
		called, err = filepath.Abs(called)
	}
	if err != nil {
		return self, nil
	}
	a, errA := os.Stat(called)
	b, errB := os.Stat(self)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		return called, nil
	}
	return self, nil
}

// servedByAnother reports whether the daemon at a socket is another user than this one.
func servedByAnother(sock string) (bool, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: sock, Net: "unix"})
	if err != nil {
		return false, client.WithHint(fmt.Errorf("there is no daemon to attack: %w", err), startHint(sock))
	}
	defer conn.Close()
	foreign, err := trusted(conn, sock)
	if err != nil {
		return false, fmt.Errorf("refusing the daemon at %s: %w", sock, err)
	}
	return foreign || sock == systemSock, nil
}

// writeAttack prints what became of the moves, for people a line each, what to do about
// one below it, and a line about all.
func writeAttack(w io.Writer, report attack.Report, asJSON bool) error {
	if asJSON {
		return writeJSON(w, struct {
			OK bool `json:"ok"`
			attack.Report
		}{report.OK(), report})
	}
	var text strings.Builder
	counts := map[string]int{}
	for _, m := range report.Results {
		state := string(m.Outcome)
		switch {
		case m.Outcome == "":
			state = "untried"
		case !m.OK:
			state = "THROUGH"
		}
		counts[state]++
		fmt.Fprintf(&text, "%-8s %-22s %s: %s\n", state, m.ID, m.Tries, oneLine(m.Evidence))
		if m.Fix != "" {
			fmt.Fprintf(&text, "%-8s %-22s → %s\n", "", "", m.Fix)
		}
	}
	fmt.Fprintf(&text, "\nThe %s install, attacked%s at %s.\n", report.Install, asRoot(report.Root), report.Target)
	fmt.Fprintf(&text, "%d stopped, %d limited, %d open as docs/threat-model.md says, %d not tried, %d through that it says are stopped.\n",
		counts["stopped"], counts["limited"], counts["open"], counts["untried"], counts["THROUGH"])
	if _, err := io.WriteString(w, text.String()); err != nil {
		return errors.Join(errors.New("writing the answer"), err)
	}
	return nil
}

func asRoot(root bool) string {
	if root {
		return " by root, from whom nothing is kept,"
	}
	return ""
}
