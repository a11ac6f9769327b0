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
	flags []string
	units []string // in the order in which they are started
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
	if err := s.do(ctx, "daemon-reload"); err != nil {
		return err
	}
	if err := s.do(ctx, append([]string{"enable"}, s.units...)...); err != nil {
		return err
	}
	verb := "start"
	if changed {
		verb = "restart"
	}
	if err := s.do(ctx, append([]string{verb}, s.units...)...); err != nil {
		return client.WithHint(err, Logs)
	}
	return nil
}

func (s systemd) stop(ctx context.Context) error {
	return s.do(ctx, append([]string{"disable", "--now"}, s.units...)...)
}

func (s systemd) forget(ctx context.Context) error { return s.do(ctx, "daemon-reload") }

func (s systemd) do(ctx context.Context, args ...string) error {
	out, err := s.command(ctx, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("systemctl %s: %w: %s", args[0], err, first)
}

func (s systemd) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "systemctl", slices.Concat(s.flags, args)...)
	cmd.Env = os.Environ()
	if os.Getenv("XDG_RUNTIME_DIR") == "" { // as after su
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+filepath.Join("/run/user", strconv.Itoa(os.Getuid())))
	}
	return cmd
}
