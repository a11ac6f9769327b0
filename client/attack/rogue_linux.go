package attack

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// rogueServer names a server of our own, and waits for a visit.
func rogueServer(ctx context.Context, t *target) (finding, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return finding{}, err
	}
	var visits atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			conn.Close()
		}
	})
	url := "http://" + l.Addr().String()
	o, err := t.output(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := t.launcher(ctx, "true")
		cmd.Args = slices.Insert(cmd.Args, 2, "--url", url)
		return cmd
	})
	conn, dialErr := net.Dial("tcp", l.Addr().String()) // whoever comes is seen
	if dialErr == nil {
		conn.Read(make([]byte, 1))
		conn.Close()
	}
	l.Close()
	wg.Wait()
	switch {
	case err != nil || dialErr != nil:
		return finding{}, errors.Join(err, dialErr)
	case visits.Load() > 1:
		return open("the daemon went to that server")
	case o.status == 0:
		return open("the daemon ran the command all the same")
	}
	return stopped("the daemon, and no packet was sent: %s", o.text())
}

// typed has somebody type cortex run in a directory with these files, with a daemon of
// ours that hears what is asked for.
func (t *target) typed(ctx context.Context, name string, files map[string]string, more ...string) (asked string, calls int64, o output, err error) {
	dir, err := t.scratch(name)
	if err != nil {
		return "", 0, o, err
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			return "", 0, o, err
		}
	}
	f, err := t.newFake(name + "-daemon")
	if err != nil {
		return "", 0, o, err
	}
	o, err = t.output(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := t.called(ctx, "cortex", slices.Concat([]string{"run", "--sock", f.path}, more, []string{"--", "true"})...)
		cmd.Dir = dir
		return cmd
	})
	return string(f.close()), f.calls.Load(), o, err
}

// rogueProjectFile comes with a repository, and names a project.
func rogueProjectFile(ctx context.Context, t *target) (finding, error) {
	file := map[string]string{".cortex.toml": "project = \"victim\"\nnames = [\"OPENAI_API_KEY\"]\n"}
	_, calls, o, err := t.typed(ctx, "project-file", file)
	if err != nil {
		return finding{}, err
	}
	// What is named by hand gets through.
	_, control, _, err := t.typed(ctx, "project-named", map[string]string{".env": "A=\n"}, "--project", "victim")
	switch {
	case err != nil:
		return finding{}, err
	case control == 0:
		return untried("no run gets to a daemon of ours")
	case calls > 0:
		return open("the launcher asked for the project that the file names")
	}
	return stopped("the launcher: %s", o.text())
}

// rogueNames comes with a repository: a file of names with values in it, and one that
// leads to a file of values.
func rogueNames(ctx context.Context, t *target) (finding, error) {
	value := newControl()
	asked, _, _, err := t.typed(ctx, "names", map[string]string{".env.example": "NAMED=" + value + "\n"}, "--project", "victim")
	if err != nil {
		return finding{}, err
	}
	if !strings.Contains(asked, `"NAMED"`) {
		return untried("the names of a .env.example do not get to a daemon of ours")
	}
	if holds([]byte(asked), controlPrefix) {
		return open("the launcher sent the values in .env.example")
	}
	asked, _, _, err = t.typed(ctx, "lines", map[string]string{".env.example": "NAMED=\n" + value + "\n"}, "--project", "victim")
	if err != nil {
		return finding{}, err
	}
	if holds([]byte(asked), controlPrefix) {
		return open("the launcher sent a line of .env.example that is no name")
	}
	return stopped("the launcher sends names, and nothing of a file with other lines")
}

// preloaded is a library that there is not: a loader that obeys says so.
const preloaded = "/nonexistent/cortex-attack.so"

// obeys reports whether a program's loader looked for the library.
func obeys(o output) bool { return strings.Contains(string(o.stderr), preloaded) }

// preload has this program load a library, as a daemon and as a launcher.
func preload(ctx context.Context, t *target) (finding, error) {
	for _, name := range []string{"LD_PRELOAD", "LD_AUDIT"} {
		env := environment(name + "=" + preloaded)
		shell, err := t.output(ctx, func(ctx context.Context) *exec.Cmd {
			cmd := exec.CommandContext(ctx, "/bin/sh", "-c", ":")
			cmd.Env = env
			return cmd
		})
		if err != nil {
			return finding{}, err
		}
		if !obeys(shell) {
			return untried("no loader here says that it obeys %s", name)
		}
		for _, start := range []func(context.Context, *target, []string) (output, error){startDaemon, startLauncher} {
			o, err := start(ctx, t, env)
			if err != nil {
				return finding{}, err
			}
			if obeys(o) {
				return open("its loader obeyed %s: this program is linked dynamically, as it was built with cgo; build it with CGO_ENABLED=0", name)
			}
		}
	}
	return stopped("this program is linked statically, and no loader is started for it")
}

// startDaemon starts a daemon that has no login and ends at once: it cannot make its socket.
func startDaemon(ctx context.Context, t *target, env []string) (output, error) {
	home, err := t.scratch("preload")
	if err != nil {
		return output{}, err
	}
	return t.output(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := t.called(ctx, "cortex-daemon", "--sock", filepath.Join(home, strings.Repeat("s", 200)))
		cmd.Env = append(env, "CORTEX_HOME="+home)
		return cmd
	})
}

// startLauncher starts a launcher that finds no daemon.
func startLauncher(ctx context.Context, t *target, env []string) (output, error) {
	return t.output(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := t.called(ctx, "cortex", "run", "--canary", "--sock", filepath.Join(t.dir, "none"), "--", "true")
		cmd.Env = env
		return cmd
	})
}

// preloadCommand has a command of a run load a library, which then has its values.
func preloadCommand(ctx context.Context, t *target) (finding, error) {
	o, err := t.output(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := t.launcher(ctx, "/bin/sh", "-c", ":")
		cmd.Env = environment("LD_PRELOAD=" + preloaded)
		return cmd
	})
	switch {
	case err != nil:
		return finding{}, err
	case obeys(o):
		return open("the command's loader obeyed the caller's LD_PRELOAD, with the value in its environment")
	}
	return stopped("the command's loader did not obey LD_PRELOAD")
}
