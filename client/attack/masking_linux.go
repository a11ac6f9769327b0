package attack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// print prints the canary in some forms, and returns those in which it came out.
func (t *target) print(ctx context.Context, which string) ([]string, error) {
	o, err := t.inRun(ctx, "print", which, newControl())
	if err != nil {
		return nil, err
	}
	return shown(string(o.stdout), forms(which))
}

// printValue prints the canary in all forms that are masked, and writes it into a file, which is not.
func printValue(ctx context.Context, t *target) (finding, error) {
	for _, which := range []string{"encodings", "slow"} {
		seen, err := t.print(ctx, which)
		if err != nil {
			return finding{}, err
		}
		if len(seen) > 0 {
			return open("the canary was in what came out, %s", strings.Join(seen, ", "))
		}
	}
	masked := fmt.Sprintf("the daemon's monitor masked it in %d forms and byte by byte", len(encodings()))
	written, err := t.ownFile(ctx)
	switch {
	case err != nil:
		return finding{}, err
	case written:
		return limited("%s; a file that the command opened itself held it", masked)
	}
	return stopped("%s", masked)
}

// printOtherwise prints the canary in forms that are not masked.
func printOtherwise(ctx context.Context, t *target) (finding, error) {
	seen, err := t.print(ctx, "transforms")
	switch {
	case err != nil:
		return finding{}, err
	case len(seen) > 0:
		return open("the canary was in what came out, %s", strings.Join(seen, ", "))
	}
	return stopped("the daemon's monitor masked it")
}

// printForms prints the values of this run and a control, a form and a value on each line.
func printForms(out io.Writer, all map[string]form, control string) {
	values := printed()
	values["control"] = control
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, source := range slices.Sorted(maps.Keys(values)) {
			fmt.Fprintf(out, "%s\t%s\t", name, source)
			all[name].print(out, values[source])
			io.WriteString(out, "\n")
		}
	}
}

// shown returns the forms in which a canary is in what printForms has printed, and an
// error if a control is not.
func shown(text string, all map[string]form) (seen []string, err error) {
	controls := map[string]bool{}
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		f, ok := all[fields[0]]
		if !ok || len(fields) != 3 {
			continue
		}
		value := f.read(fields[2])
		controls[fields[0]] = controls[fields[0]] || holds(value, controlPrefix)
		if holdsCanary(value) && !slices.Contains(seen, fields[0]) {
			seen = append(seen, fields[0])
		}
	}
	for name := range all {
		if !controls[name] {
			return nil, fmt.Errorf("%w: what was printed %s did not come through", errUntried, name)
		}
	}
	return seen, nil
}

// halves prints one half of the canary to standard output, the other to standard error.
func halves(ctx context.Context, t *target) (finding, error) {
	o, err := t.inRun(ctx, "halves")
	if err != nil {
		return finding{}, err
	}
	if holdsCanary(append(o.stdout, o.stderr...)) {
		return open("its halves came out of standard output and standard error")
	}
	return stopped("neither half came out")
}

// ownFile has a command write the canary into a file that it opens itself, and reports
// whether it is there.
func (t *target) ownFile(ctx context.Context) (bool, error) {
	dir, err := t.scratch("own-file")
	if err != nil {
		return false, err
	}
	path := filepath.Join(dir, "file")
	if _, err := t.inRun(ctx, "write", path); err != nil {
		return false, err
	}
	text, err := os.ReadFile(path)
	// Not to be found as something that was left behind. The directory is ours, whoever
	// the command was.
	return holdsCanary(text), errors.Join(err, os.Remove(path))
}

// unmasked asks for a run that is not masked.
func unmasked(ctx context.Context, t *target) (finding, error) {
	o, err := t.ask(ctx, map[string]any{"canary": true, "no_mask": true, "project": t.Project}, t.inside("print", "transforms", newControl()))
	if err != nil {
		return finding{}, err
	}
	plain, err := t.ask(ctx, map[string]any{"canary": true, "no_mask": false}, t.inside("print", "transforms", newControl()))
	if err != nil || !holdsControl(plain.stdout) {
		return untried("no request of ours was carried out: %v %s", err, plain.text())
	}
	if !strings.Contains(string(o.stderr), "must_mask") {
		f, err := open("the daemon did not refuse it: %s", o.text())
		if t.Project != "" && len(o.stdout) > 0 {
			f.excused = "an administrator allowed it for project " + t.Project
		}
		return f, err
	}
	return stopped("the daemon refused it (must_mask)")
}

// holdsControl reports whether a control is in what was printed with forms.
func holdsControl(out []byte) bool {
	_, err := shown(string(out), transforms())
	return err == nil
}
