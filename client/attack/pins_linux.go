package attack

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// pinning is what is known of a project that has its secrets for approved commands, once
// it was asked.
type pinning struct {
	refusal, approved output
	known, tried      bool
	variable          string // of a name that no pin has in its list, and nobody has heard of
}

// extra is an argument that no approved command has.
const extra = "cortex-doctor-attack"

// notFound is the status of a program that is not there.
const notFound = 127

// asProject has somebody run a command with the project, without any of its secrets, for
// a few seconds.
func (t *target) asProject(ctx context.Context, dir string, env []string, command ...string) (output, error) {
	names := filepath.Join(t.dir, "no-names")
	if err := os.WriteFile(names, nil, 0o644); err != nil {
		return output{}, err
	}
	return t.output(ctx, func(ctx context.Context) *exec.Cmd {
		args := []string{"run", "--sock", t.Sock, "--project", t.Project, "--env-file", names, "--timeout", "5s", "--"}
		cmd := t.called(ctx, "cortex", append(args, command...)...)
		cmd.Dir, cmd.Env = dir, environment(env...)
		return cmd
	})
}

// unapproved reports whether a command was refused as one that nobody has approved.
func (o output) unapproved() bool {
	return strings.Contains(string(o.stderr), "this command was not approved")
}

// enforced returns what is said of a command that nobody has approved, where the project
// is one for which commands have to be.
func (t *target) enforced(ctx context.Context) (output, error) {
	p := &t.pinning
	if !p.known {
		var err error
		if p.refusal, err = t.asProject(ctx, t.dir, nil, "true", extra); err != nil {
			return output{}, err
		}
		p.known = true
	}
	switch {
	case p.refusal.unapproved():
		return p.refusal, nil
	case p.refusal.status == 0:
		return output{}, fmt.Errorf("%w: project %s has its secrets for any command: cortex project settings %s --commands enforce", errUntried, t.Project, t.Project)
	}
	return output{}, fmt.Errorf("%w: %s", errUntried, p.refusal.text())
}

// approved returns what comes of the command that was named, run with variables that are
// in no pin's list, where it is approved.
func (t *target) approved(ctx context.Context) (output, error) {
	if _, err := t.enforced(ctx); err != nil {
		return output{}, err
	}
	if len(t.Command) == 0 {
		return output{}, fmt.Errorf("%w: name a command that is approved for project %s", errUntried, t.Project)
	}
	p := &t.pinning
	if !p.tried {
		p.variable = "DOCTOR_ATTACK_" + rand.Text()
		dir, err := os.Getwd()
		if err == nil {
			p.approved, err = t.asProject(ctx, dir, []string{"LD_PRELOAD=" + preloaded, p.variable + "=1"}, t.Command...)
		}
		if err != nil {
			return output{}, err
		}
		p.tried = true
	}
	if p.approved.unapproved() {
		return output{}, fmt.Errorf("%w: the command that was named is not approved for project %s here", errUntried, t.Project)
	}
	return p.approved, nil
}

// otherCommand runs one that nobody has approved, and the approved one with one more
// argument.
func otherCommand(ctx context.Context, t *target) (finding, error) {
	refusal, err := t.enforced(ctx)
	if err != nil {
		return finding{}, err
	}
	if _, err := t.approved(ctx); err != nil {
		return stopped("the vault: %s; changes of an approved command were not tried: %s", refusal.text(), strings.TrimPrefix(err.Error(), errUntried.Error()+": "))
	}
	dir, err := os.Getwd()
	if err != nil {
		return finding{}, err
	}
	o, err := t.asProject(ctx, dir, nil, append(slices.Clone(t.Command), extra)...)
	switch {
	case err != nil:
		return finding{}, err
	case !o.unapproved():
		return open("it ran with one more argument: %s", o.text())
	}
	return stopped("the vault: %s; and with one more argument: %s", refusal.text(), o.text())
}

// otherDirectory runs the approved command in a directory of ours.
func otherDirectory(ctx context.Context, t *target) (finding, error) {
	if _, err := t.approved(ctx); err != nil {
		return finding{}, err
	}
	dir, err := t.scratch("elsewhere")
	if err != nil {
		return finding{}, err
	}
	o, err := t.asProject(ctx, dir, nil, t.Command...)
	switch {
	case err != nil:
		return finding{}, err
	case !o.unapproved() && o.status == notFound:
		return untried("there is no such command elsewhere")
	case !o.unapproved():
		return open("it ran there: %s", o.text())
	}
	return stopped("the vault: %s", o.text())
}

// otherProgram puts one of the name of the approved one where it is found first.
func otherProgram(ctx context.Context, t *target) (finding, error) {
	if _, err := t.approved(ctx); err != nil {
		return finding{}, err
	}
	name := t.Command[0]
	if strings.Contains(name, "/") {
		return untried("the command that was named has its program by a path, and that is not changed")
	}
	dir, err := t.scratch("programs")
	if err != nil {
		return finding{}, err
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+extra+"\n"), 0o755); err != nil {
		return finding{}, err
	}
	if err := os.Chmod(path, 0o755); err != nil {
		return finding{}, err
	}
	here, err := os.Getwd()
	if err != nil {
		return finding{}, err
	}
	o, err := t.asProject(ctx, here, []string{"PATH=" + dir + ":" + os.Getenv("PATH")}, t.Command...)
	switch {
	case err != nil:
		return finding{}, err
	case strings.Contains(string(o.stdout), extra):
		return open("a program of ours ran as %s", name)
	case !o.unapproved():
		return untried("%s", o.text())
	}
	return stopped("the vault: %s", o.text())
}

// loadingVariables looks what the approved command did with variables that make programs
// run other code.
func loadingVariables(ctx context.Context, t *target) (finding, error) {
	o, err := t.approved(ctx)
	if err != nil {
		return finding{}, err
	}
	if obeys(o) {
		return open("the command's loader obeyed the caller's LD_PRELOAD")
	}
	for line := range strings.Lines(string(o.stderr)) {
		if strings.Contains(line, t.pinning.variable) {
			return stopped("the daemon: %s", strings.TrimPrefix(strings.TrimSpace(line), "cortex: "))
		}
	}
	return untried("nobody says what the command ran without: %s", o.text())
}
