package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// himalaya gives a mail to the program of that name.
func himalaya(ctx context.Context, account string, mail []byte) error {
	if err := himalayaRun(ctx, nil, "--version"); err != nil {
		return err
	}
	args := []string{"message", "send"}
	if account != "" {
		args = append([]string{"-a", account}, args...)
	}
	return himalayaRun(ctx, mail, args...)
}

// himalayaRun runs it once. What it prints may quote its own config, so nobody
// reads it.
func himalayaRun(ctx context.Context, stdin []byte, args ...string) error {
	cmd := exec.CommandContext(ctx, "himalaya", args...)
	cmd.Env = scrubbed(os.Environ())
	cmd.Stdin = bytes.NewReader(stdin)
	// Programs that it starts end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return &failure{why: "there is no program himalaya on the PATH of the server"}
	case ctx.Err() != nil:
		return &failure{why: "himalaya took too long"}
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return &failure{why: fmt.Sprintf("himalaya %s ended with status %d", args[len(args)-1], e.ExitCode())}
	}
	return &failure{why: "himalaya could not be started"}
}

// inherited are the variables that a mail program may need. It gets no others:
// the server's own hold its password and its admin token.
var inherited = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "DBUS_SESSION_BUS_ADDRESS",
	"HIMALAYA_CONFIG",
}

func scrubbed(environ []string) (kept []string) {
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "LC_") || slices.Contains(inherited, name) {
			kept = append(kept, v)
		}
	}
	return kept
}
