package attack

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/daemon/peer"
)

// A target is what the moves are tried on.
type target struct {
	Config
	began   time.Time
	root    bool
	dir     string // of ours, where commands may write
	daemon  process
	victim  *victim
	asGiven bool // the command is not one of ours
	told    string
	pinning pinning
}

// run tries all moves.
func run(ctx context.Context, c Config) (Report, error) {
	t := &target{Config: c, began: time.Now(), root: os.Geteuid() == 0}
	report := Report{Install: "personal", Root: t.root}
	if c.Isolated {
		report.Install = "isolated"
	}
	done, err := t.prepare(ctx)
	if err != nil {
		return report, err
	}
	defer done()
	all := moves()
	if c.Project != "" {
		all = append(all, pinMoves()...)
	}
	for _, m := range all {
		if len(c.Only) > 0 && !slices.Contains(c.Only, m.ID) {
			continue
		}
		t.say("%s: %s", m.ID, m.Tries)
		f, err := m.try(ctx, t)
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		report.Results = append(report.Results, m.judge(c, t.root, f, err))
	}
	report.Target = t.told
	return report, nil
}

func (t *target) say(format string, args ...any) {
	if t.Progress != nil {
		t.Progress(fmt.Sprintf(format, args...))
	}
}

// prepare finds the daemon, and starts the command that is attacked.
func (t *target) prepare(ctx context.Context) (done func(), err error) {
	if t.daemon, err = t.findDaemon(); err != nil {
		return nil, fmt.Errorf("looking for the daemon: %w", err)
	}
	if t.dir, err = os.MkdirTemp("", "cortex-attack-"); err != nil {
		return nil, err
	}
	done = func() {
		t.victim.end()
		t.daemon.close()
		os.RemoveAll(t.dir)
	}
	mode := os.FileMode(0o700)
	if t.Isolated { // commands are somebody else
		mode = os.ModeSticky | 0o777
	}
	if err := os.Chmod(t.dir, mode); err != nil {
		done()
		return nil, err
	}
	if len(t.Command) > 0 {
		t.asGiven = true
		t.told = "the command that was named"
		if t.victim, err = t.start(ctx, "", t.Command...); err != nil {
			t.say("%v", err)
		}
	}
	if _, err := t.living(ctx); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// findDaemon returns the process that serves the socket.
func (t *target) findDaemon() (process, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: t.Sock, Net: "unix"})
	if err != nil {
		return process{}, err
	}
	defer conn.Close()
	p, err := peer.Of(conn)
	if err != nil {
		return process{}, err
	}
	defer p.Close()
	return watchProcess(p.PID)
}

// living returns the command to attack, which runs. One of ours takes the place of
// one that has ended.
func (t *target) living(ctx context.Context) (*victim, error) {
	if t.victim != nil && t.victim.command.lives() && t.victim.monitor.lives() {
		return t.victim, nil
	}
	if t.asGiven {
		t.told = "the command that was named, and, as it has ended, one of our own"
	} else {
		t.told = "a command of our own"
	}
	t.victim.end()
	var err error
	t.victim, err = t.start(ctx, t.dir, t.helper()...)
	return t.victim, err
}

// helper is a command that runs until its input ends.
func (t *target) helper() []string { return t.inside("wait") }

// inside is a command line that does something inside of a run.
func (t *target) inside(args ...string) []string {
	return append([]string{t.Program, "doctor", "--inside"}, args...)
}

// onCommand tries something on a command that runs until it is over.
func (t *target) onCommand(ctx context.Context, try func(*victim) (finding, error)) (finding, error) {
	for range 3 {
		v, err := t.living(ctx)
		if err != nil {
			return finding{}, err
		}
		f, err := try(v)
		if v.command.lives() && v.monitor.lives() {
			return f, err
		}
	}
	return finding{}, fmt.Errorf("%w: the command did not live that long", errUntried)
}

// environment is what launchers have: nothing in it speaks for their flags.
func environment(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CORTEX_") })
	if dir := os.Getenv("CORTEX_HOME"); dir != "" {
		env = append(env, "CORTEX_HOME="+dir)
	}
	return append(env, more...)
}

// scratch makes a directory for a move.
func (t *target) scratch(name string) (string, error) {
	dir := filepath.Join(t.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(t.dir)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, info.Mode())
}

// untried says why a move could not be tried.
func untried(format string, args ...any) (finding, error) {
	return finding{}, fmt.Errorf("%w: "+format, append([]any{errUntried}, args...)...)
}

func stopped(format string, args ...any) (finding, error) {
	return finding{outcome: Stopped, evidence: fmt.Sprintf(format, args...)}, nil
}

func limited(format string, args ...any) (finding, error) {
	return finding{outcome: Limited, evidence: fmt.Sprintf(format, args...)}, nil
}

func open(format string, args ...any) (finding, error) {
	return finding{outcome: Open, evidence: fmt.Sprintf(format, args...)}, nil
}
