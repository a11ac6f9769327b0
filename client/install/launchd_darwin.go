package install

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/cortex-auth/cortex/client"
)

// launchd is the service manager of the user's session.
type launchd struct{ plist string }

func (l launchd) domain() string { return "gui/" + strconv.Itoa(os.Getuid()) }

func (l launchd) check(ctx context.Context) error {
	if l.do(ctx, "print", l.domain()) != nil {
		return client.WithHint(fmt.Errorf("%w: you are not logged in at this Mac's screen", ErrNoManager), "see what it would start, and start that by other means: add --print")
	}
	return nil
}

func (l launchd) start(ctx context.Context, changed bool) error {
	there := l.loaded(ctx)
	if there && !changed {
		return nil
	}
	if there {
		if err := l.stop(ctx); err != nil {
			return err
		}
	}
	return l.do(ctx, "bootstrap", l.domain(), l.plist)
}

func (l launchd) stop(ctx context.Context) error {
	if !l.loaded(ctx) {
		return nil
	}
	return l.do(ctx, "bootout", l.domain()+"/"+Service)
}

func (l launchd) forget(context.Context) error { return nil }

func (l launchd) loaded(ctx context.Context) bool {
	return l.do(ctx, "print", l.domain()+"/"+Service) == nil
}

func (l launchd) do(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "launchctl", args...).CombinedOutput()
	if err == nil {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("launchctl %s: %w: %s", args[0], err, first)
}
