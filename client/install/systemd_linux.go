package install

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cortex-auth/cortex/client"
)

// systemd is the system's service manager, or a user's.
type systemd struct {
	flags  []string
	users  string   // a file for systemd-sysusers, or none
	units  []string // are started and enabled
	others []string // come with them, and do not go with them: patterns
}

func (s systemd) check(ctx context.Context) error {
	// It fails also where something else has failed, but then has a word for it.
	out, err := s.command(ctx, "is-system-running").Output()
	if word := strings.TrimSpace(string(out)); err != nil && (word == "" || word == "offline" || word == "unknown") {
		return client.WithHint(fmt.Errorf("%w: there is no systemd for %s here", ErrNoManager, s), "see what it would start, and start that by other means: add --print")
	}
	return nil
}

// String names whose manager it is.
func (s systemd) String() string {
	if len(s.flags) > 0 {
		return "your user"
	}
	return "the system"
}

func (s systemd) start(ctx context.Context, changed bool) error {
	if s.users != "" {
		if err := do(exec.CommandContext(ctx, "systemd-sysusers", s.users)); err != nil {
			return err
		}
	}
	steps := []string{"daemon-reload", "enable", "start"}
	if changed { // a socket is not started again while its service runs
		steps = []string{"daemon-reload", "enable", "stop", "start"}
	}
	for _, step := range steps {
		args := []string{step}
		switch step {
		case "daemon-reload":
		case "stop":
			args = slices.Concat(args, s.units, s.others)
		default:
			args = append(args, s.units...)
		}
		if err := do(s.command(ctx, args...)); err != nil {
			return client.WithHint(err, s.logs())
		}
	}
	return nil
}

// logs returns what shows what the daemon has to say.
func (s systemd) logs() string {
	return strings.Join(slices.Concat([]string{"journalctl"}, s.flags, []string{"--unit", "cortex-daemon"}), " ")
}

func (s systemd) stop(ctx context.Context) error {
	if err := do(s.command(ctx, append([]string{"disable", "--now"}, s.units...)...)); err != nil || len(s.others) == 0 {
		return err
	}
	return do(s.command(ctx, append([]string{"stop"}, s.others...)...))
}

func (s systemd) forget(ctx context.Context) error { return do(s.command(ctx, "daemon-reload")) }

func do(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, first)
}

func (s systemd) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "systemctl", slices.Concat(s.flags, args)...)
	cmd.Env = os.Environ()
	if os.Getenv("XDG_RUNTIME_DIR") == "" { // as after su
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+filepath.Join("/run/user", strconv.Itoa(os.Getuid())))
	}
	return cmd
}
