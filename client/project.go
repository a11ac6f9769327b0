package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// CallerContext says for whom a daemon fetches. It is recorded in the
// server's audit log. Empty members are not sent.
type CallerContext struct {
	PID          int
	BinarySHA256 string // lower-case hex
	ArgvHash     string // lower-case hex
	CWD          string
	GitCommit    string
	Hostname     string
	OS           string // os/arch
	// Command is what the daemon is about to run, in the form of [pinned.Command];
	// empty to not say. It travels in the body of a POST, and not as a header.
	Command json.RawMessage
}

func (cc CallerContext) addTo(h http.Header) {
	if cc.PID > 0 {
		h.Set("X-Cortex-Caller-Pid", strconv.Itoa(cc.PID))
	}
	for name, value := range map[string]string{
		"X-Cortex-Caller-Binary-Sha256": cc.BinarySHA256,
		"X-Cortex-Caller-Argv-Hash":     cc.ArgvHash,
		"X-Cortex-Caller-Cwd":           cc.CWD,
		"X-Cortex-Caller-Git-Commit":    cc.GitCommit,
		"X-Cortex-Hostname":             cc.Hostname,
		"X-Cortex-Os":                   cc.OS,
	} {
		if headerText(value) {
			h.Set(name, value)
		}
	}
}

// headerText reports whether s can travel in a header. A directory may have
// any name; one that cannot travel is left out rather than stopping the run.
func headerText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= 4096
}

// Secrets are what a project token opens.
type Secrets struct {
	// Values are the values by variable name. Wipe them.
	Values map[string]opaque.Bytes
	// SSHKeys are what there is to know of the keys that stay in the vault.
	SSHKeys map[string]api.SSHKey
	// Withheld are the variables that the token no longer opens, because a
	// grant, a secret or a policy changed. Older servers leave them out
	// without a word.
	Withheld []string
	// Offline says for how long the values may be used while the server is away;
	// nil for not at all.
	Offline *api.Offline
	// Commands says for which commands the project has its secrets: empty for any, or
	// api.CommandsLearn or api.CommandsEnforce.
	Commands string
	// Pin is what allows the command, where that is asked for.
	Pin *api.AllowedPin
}

// Wipe overwrites the values.
func (s Secrets) Wipe() {
	for _, v := range s.Values {
		v.Wipe()
	}
}

// ProjectSecrets fetches what a project token opens, for caller.Command if that is
// said. One that nobody approved fails with [api.CommandNotPinned], and the error's
// Details say why.
func (c *Client) ProjectSecrets(ctx context.Context, project string, token opaque.Bytes, by Attester, caller CallerContext) (Secrets, error) {
	if !proof.ValidName(project) {
		return Secrets{}, fmt.Errorf("bad project name %q: use 1 to 128 of A-Z a-z 0-9 _ . -", printable(project, 128))
	}
	r, err := caller.request(at("/project/secrets/", project), token, "")
	if err != nil {
		return Secrets{}, err
	}
	if err := attest(by, &r, proof.AuthTokenID(string(token.Reveal()))); err != nil {
		return Secrets{}, err
	}
	if err := attestCaller(by, &r, caller); err != nil {
		return Secrets{}, err
	}
	out, err := call[api.ProjectSecrets](ctx, c, r)
	if err != nil {
		return Secrets{}, err
	}
	if out.EnvVars == nil {
		return Secrets{}, errLacks("env_vars") // or programs would start without credentials
	}
	values := make(map[string]opaque.Bytes, len(out.EnvVars))
	for name, v := range out.EnvVars {
		if v.IsZero() {
			return Secrets{}, fmt.Errorf("%w: a variable without a value", ErrAnswer)
		}
		values[name] = opaque.New(v.Reveal())
	}
	return Secrets{values, out.SSHKeys, out.Withheld, out.Offline, out.Commands, out.Pin}, nil
}

// request returns one for values: a POST where the command is said, or a file on a disk
// that they are for, else a GET.
func (cc CallerContext) request(path path, token opaque.Bytes, file string) (request, error) {
	r := request{method: http.MethodGet, path: path, header: bearer(token)}
	in := api.ForConfig{Command: cc.Command}
	if file != "" {
		in.Path = &file
	}
	if len(in.Command) == 0 && in.Path == nil {
		return r, nil
	}
	body, err := plainJSON(in) // without a path it is an api.ForCommand, too
	if err != nil {
		return request{}, err
	}
	r.method, r.body = http.MethodPost, body
	return r, nil
}

// Projects returns the projects of a namespace, or all if it is empty.
func (c *Client) Projects(ctx context.Context, namespace string) ([]api.Project, error) {
	return admin[[]api.Project](ctx, c, http.MethodGet, at("/admin/projects"), inNamespace(namespace), nil)
}

// RevokeProject ends a project's tokens. The namespace may be empty where the
// name stands in one only.
func (c *Client) RevokeProject(ctx context.Context, namespace, project string) (api.RevokedProject, error) {
	return admin[api.RevokedProject](ctx, c, http.MethodPost, at("/admin/projects/", project, "/revoke"), inNamespace(namespace), nil)
}

// ProjectConfig fetches a template with the values that a project token opens
// in it, for a command as [Client.ProjectSecrets] does. Wipe the result. It is for
// memory only, unless file is the path from the top of a file on a disk: that the vault
// records, and the project has to allow it, else it is an [api.ExposureDenied].
func (c *Client) ProjectConfig(ctx context.Context, project, template, file string, token opaque.Bytes, by Attester, caller CallerContext) (opaque.Bytes, error) {
	if !proof.ValidName(project) {
		return opaque.Bytes{}, fmt.Errorf("bad project name %q: use 1 to 128 of A-Z a-z 0-9 _ . -", printable(project, 128))
	}
	if !proof.ValidPath(template) {
		return opaque.Bytes{}, fmt.Errorf("bad template path %q: use 1 to 512 of A-Z a-z 0-9 _ . / -", printable(template, 512))
	}
	r, err := caller.request(at("/project/config/", project, "/", template), token, file)
	if err != nil {
		return opaque.Bytes{}, err
	}
	if err := attest(by, &r, proof.AuthTokenID(string(token.Reveal()))); err != nil {
		return opaque.Bytes{}, err
	}
	if err := attestCaller(by, &r, caller); err != nil {
		return opaque.Bytes{}, err
	}
	a, err := c.send(ctx, r)
	if err != nil {
		return opaque.Bytes{}, err
	}
	if a.status/100 != 2 {
		defer clear(a.body)
		return opaque.Bytes{}, a.problem(c.base)
	}
	return opaque.New(a.body), nil
}

// ProjectSettings returns what is different for a project. The namespace may be
// empty where the name stands in one only, or in none.
func (c *Client) ProjectSettings(ctx context.Context, namespace, project string) (api.ProjectSettings, error) {
	return admin[api.ProjectSettings](ctx, c, http.MethodGet, at("/admin/projects/", project, "/settings"), inNamespace(namespace), nil)
}

// UpdateProject changes the settings of a project, which need not exist yet.
func (c *Client) UpdateProject(ctx context.Context, namespace, project string, in api.UpdateProject) (api.ProjectSettings, error) {
	return admin[api.ProjectSettings](ctx, c, http.MethodPut, at("/admin/projects/", project, "/settings"), inNamespace(namespace), in)
}

// DeleteProject deletes a project with its tokens, grants and settings.
func (c *Client) DeleteProject(ctx context.Context, namespace, project string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/projects/", project), inNamespace(namespace), nil)
}
