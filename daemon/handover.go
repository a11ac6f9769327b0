package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// asked returns the variables that a request asks for beside its names.
func asked(req ipc.Request) (names []string) {
	for _, a := range req.Aliases {
		_, alias, _ := strings.Cut(a, "=")
		names = append(names, alias)
	}
	return slices.Concat(names, req.SSH, handed(req))
}

// handed returns the variables whose values the program gets in files and on its
// standard input.
func handed(req ipc.Request) (names []string) {
	for _, f := range req.Files {
		name, _, _ := strings.Cut(f, "=")
		names = append(names, name)
	}
	if req.Stdin != "" {
		names = append(names, req.Stdin)
	}
	return names
}

// handOver gives the program the values that it gets in files and on its standard
// input: all of them, as it could not tell a file or an input that is missing from
// one that was never meant.
func (j *job) handOver(spec *spawn.Spec, got gift) error {
	for _, name := range handed(j.req) {
		if _, ok := got.values[name]; !ok {
			return noValue(j.req.Project, name, got)
		}
	}
	for _, f := range j.req.Files {
		name, variable, _ := strings.Cut(f, "=")
		spec.Files = append(spec.Files, spawn.Secret{Name: variable, Value: got.values[name]})
	}
	for _, t := range j.req.Templates {
		_, variable, _ := strings.Cut(t, "=")
		if path := exposed(j.req, variable); path != "" {
			at, err := j.pathFor(spec.Dir, path)
			if err != nil {
				return err
			}
			if got.pin != nil && !plainPath(at) {
				return fmt.Errorf("this command is pinned: the path of a file for it, %q, has to be of A-Z a-z 0-9 . _ / - and not to begin with -", at)
			}
			spec.Exposed = append(spec.Exposed, spawn.Exposed{Variable: variable, At: at, Path: path, Text: got.texts[t]})
			continue
		}
		spec.Files = append(spec.Files, spawn.Secret{Name: variable, Value: got.texts[t]})
	}
	if j.req.Stdin != "" {
		spec.Stdin = new(got.values[j.req.Stdin])
	}
	return nil
}

// pathFor returns the path by which the program opens a file: from the top, unless the
// program is another user, to whom the directories above its own may be closed.
func (d *Daemon) pathFor(dir *os.File, path string) (string, error) {
	if len(d.cfg.Spawners) > 0 {
		return path, nil
	}
	return placeOf(dir, path)
}

// exposed returns the path, from the working directory, of the file on a disk that the
// template with that variable is to be, "" for none.
func exposed(req ipc.Request, variable string) string {
	for _, f := range req.TemplateFiles {
		if v, path, _ := strings.Cut(f, "="); v == variable {
			return path
		}
	}
	return ""
}

// noValue says why there is nothing to hand over.
func noValue(project, name string, got gift) error {
	if _, ok := got.keys[name]; ok {
		return client.WithHint(fmt.Errorf("%s is an SSH key, which stays in the vault", name), "to give the command an agent for the key: --ssh "+name)
	}
	err := fmt.Errorf("the vault has no secret %s for project %s", name, project)
	if got.waiting != "" {
		return client.WithHint(err, "it may have to be approved: cortex grant show "+got.waiting)
	}
	return client.WithHint(err, "an administrator makes it: cortex secret create "+strings.ToLower(name))
}

// gather returns the values of names, and the templates of a request; or canaries.
func (j *job) gather(ctx context.Context, dir *os.File, w wish, by client.CallerContext) (gift, error) {
	if j.req.Canary {
		return j.canaries(ctx, j.req)
	}
	got, err := j.valuesOrHeld(ctx, j.req, w, by)
	got.texts = map[string]opaque.Bytes{}
	for _, t := range j.req.Templates {
		path, variable, _ := strings.Cut(t, "=")
		at := ""
		if file := exposed(j.req, variable); err == nil && file != "" {
			at, err = placeOf(dir, file)
		}
		if err == nil {
			got.texts[t], err = j.render(ctx, j.req.Project, w, path, at, by)
		}
	}
	return got, err
}

// render returns a template with the values in it that the project's token opens: for
// a file on a disk, whose place the vault records, unless at is empty.
func (d *enrolment) render(ctx context.Context, project string, w wish, path, at string, by client.CallerContext) (opaque.Bytes, error) {
	p, err := d.projects.of(project)
	if err != nil {
		return opaque.Bytes{}, err
	}
	t, s, err := d.credentials(ctx, p, w)
	if err != nil {
		return opaque.Bytes{}, err
	}
	text, _, err := asPinned(p, w.look, by, func(by client.CallerContext) (opaque.Bytes, error) {
		text, err := d.client.ProjectConfig(ctx, project, path, at, t.value, s, by)
		if err != nil {
			err = fmt.Errorf("rendering a template for project %s: %w", project, err)
		}
		return text, err
	})
	if errors.Is(err, api.ExposureDenied) {
		err = client.WithHint(err, "run it without --template-file, or have an administrator allow it: cortex project settings "+project+" --template-files allow")
	}
	if at != "" && errors.Is(err, api.MethodNotAllowed) {
		err = client.WithHint(err, "this server knows templates for files in memory only: run it without --template-file, or update the server")
	}
	if errors.Is(err, api.TemplateError) {
		err = client.WithHint(err, "have the run ask for what the template names: in .env, with --env-file, or as names in .cortex.toml")
	}
	return text, err
}

// needles returns what is kept out of what the program prints: of templates the
// values that may be in them, and not all they say.
func needles(spec spawn.Spec, req ipc.Request, got gift) []spawn.Secret {
	all := slices.Clone(spec.Secrets)
	names := handed(req)
	if len(req.Templates) > 0 {
		names = slices.Sorted(maps.Keys(got.values))
	}
	for _, name := range names {
		all = append(all, spawn.Secret{Name: name, Value: got.values[name]})
	}
	return all
}
