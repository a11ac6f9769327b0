package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/template"
)

// A TemplateError says why a template was not rendered. It is written for the
// caller: it names the template and a name in it, and nothing else of either.
type TemplateError struct {
	// Path is the template's.
	Path string
	// Reason completes "template <Path> …".
	Reason string
}

func (e *TemplateError) Error() string { return "template " + e.Path + " " + e.Reason }

// checkTemplate refuses a source that could not be rendered.
func checkTemplate(source []byte) error {
	if _, err := template.Parse(source); err != nil {
		return invalid("value", "is not a template: %v", err)
	}
	return nil
}

// A ConfigRequest asks for a template with the project's values in it.
type ConfigRequest struct {
	// Project is the name as in the path of the request, Template the path of
	// the template.
	Project, Template string
	// Bearer is the project token, or its JWT.
	Bearer opaque.Bytes
	// Attestation is the daemon's signature over GET
	// /project/config/<Project>/<Template> without a body, or over POST with Body; nil
	// if there was none.
	Attestation *proof.Attestation
	// Exposed is the file on a disk that the text is for, as the daemon says in Body:
	// a path from the top; "" for memory only.
	Exposed string
	// Body, Caller and Command are as in [FetchRequest].
	Body    []byte
	Caller  *CallerProof
	Command *pinned.Command
}

// fetch is the part of r that is as in every request with a project token.
func (r ConfigRequest) fetch() FetchRequest {
	return FetchRequest{
		Project: r.Project, Bearer: r.Bearer, Attestation: r.Attestation, Caller: r.Caller, Body: r.Body, Command: r.Command,
		path: "/project/config/" + r.Project + "/" + r.Template,
	}
}

// maxExposed is the longest path of a file for a template, in bytes.
const maxExposed = 1024

// checkExposed refuses a path that would say nothing to whoever reads the record.
func checkExposed(path string) error {
	printable := utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) })
	if !strings.HasPrefix(path, "/") || len(path) > maxExposed || !printable {
		return invalid("path", "must begin with / and be printable, and at most %d bytes long", maxExposed)
	}
	return nil
}

// A config is an authorised request for a template, and what it comes to.
type config struct {
	fetch
	text opaque.Bytes
}

func (c config) wipe() {
	c.fetch.wipe()
	c.text.Wipe()
}

// FetchConfig renders a template of the namespace that the agent's policies
// allow, with what the project token opens: each value goes by its path, by its
// path with underscores for slashes, and by its variable. Nothing is escaped. The
// text, which the caller wipes, leaves only after the audit entry that names
// every secret in it is durable, and the file on a disk that it is for, if it is.
// That is for projects that allow it, else [ErrExposure].
//
// It returns [ErrNotFound] if there is no such template, [ErrDenied] if a policy
// denies it, a [*TemplateError] for a name that the token does not open, and
// otherwise what [Vault.FetchSecrets] does, for a honey secret too.
func (v *Vault) FetchConfig(ctx context.Context, from access.Origin, r ConfigRequest) (opaque.Bytes, error) {
	k, release, err := v.use()
	if err != nil {
		return opaque.Bytes{}, err
	}
	defer release()
	if checkPath("", r.Template) != nil {
		return opaque.Bytes{}, ErrNotFound
	}
	if r.Exposed != "" {
		if err := checkExposed(r.Exposed); err != nil {
			return opaque.Bytes{}, err
		}
	}
	var c config
	authorize := func(o *op) (err error) {
		c.wipe()
		c, err = o.authorizeConfig(v.cfg.RequireAttestation, r)
		return err
	}
	err = v.letOut(ctx, k, from, &c.fetch, authorize, func() record {
		return record{action: access.GetConfig, project: r.Project, resource: r.Template}
	})
	c.fetch.wipe() // they are in the text now
	if err != nil {
		c.text.Wipe()
		return opaque.Bytes{}, err
	}
	return c.text, nil
}

// authorizeConfig checks everything and renders.
func (o *op) authorizeConfig(attest bool, r ConfigRequest) (c config, err error) {
	path := r.Template
	if c.fetch, err = o.identify(attest, r.fetch()); err != nil {
		return config{fetch: fetch{token: c.token}}, err
	}
	if c.refused() {
		return c, nil
	}
	if err := o.expose(&c, r.Exposed); err != nil {
		return c, err
	}
	rs, err := o.rulesFor(c.agent)
	if err != nil {
		return c, err
	}
	source, err := o.openTemplate(&c, path, rs)
	if err != nil {
		return c, err
	}
	defer source.Wipe()
	t, err := template.Parse(source.Reveal())
	if err != nil {
		return c, &TemplateError{path, "is not a template: " + err.Error()}
	}
	if err := o.lookUp(&c, path, t.Names(), rs); err != nil || len(c.honey) > 0 {
		return c, err
	}
	c.text, err = t.Render(func(name string) []byte { return c.Values[name].Reveal() })
	if errors.Is(err, template.ErrTooLong) {
		return c, &TemplateError{path, fmt.Sprintf("makes more than %d bytes", template.MaxOutput)}
	}
	return c, err
}

// expose notes the file on a disk that the text is for, if the project allows one.
func (o *op) expose(c *config, path string) error {
	if path == "" {
		return nil
	}
	settings, err := projectSettings.Get(o.Tx, store.Join(c.token.Namespace, c.token.Project))
	if err != nil && !isNotFound(err) {
		return err
	}
	if !settings.ExposeFiles {
		return ErrExposure
	}
	c.resources = append(c.resources, audit.Resource{Path: path, Decision: "exposed"})
	return nil
}

// openTemplate returns the source of a template that the agent may use.
func (o *op) openTemplate(c *config, path string, rs rules) (opaque.Bytes, error) {
	s, err := o.at(c.agent.Namespace, path)
	if err != nil {
		return opaque.Bytes{}, err
	}
	if s.Type != TemplateConfig {
		return opaque.Bytes{}, ErrNotFound
	}
	decision, err := o.decideSecret(rs, s)
	switch {
	case err != nil:
	case !allows(decision):
		err = ErrDenied
	case s.expired(o.now):
		decision, err = decisionExpired, ErrNotFound
	}
	c.resources = append(c.resources, audit.Resource{Path: path, Decision: "template:" + decision})
	if err != nil {
		return opaque.Bytes{}, err
	}
	if s.Honey {
		c.honey = append(c.honey, path)
	}
	return o.openValue(s.secretRow)
}

// lookUp opens the value of every name, and springs the traps among the
// mappings of the token, whether they are named or not.
func (o *op) lookUp(c *config, path string, names []string, rs rules) error {
	meant := map[string][]string{} // the names that mean a mapping, by its grant
	for _, name := range names {
		grant, err := c.token.named(name)
		if err != nil {
			return &TemplateError{path, err.Error()}
		}
		meant[grant] = append(meant[grant], name)
	}
	c.Values = map[string]opaque.Bytes{}
	size := 0
	for _, m := range c.token.Mappings {
		d, err := o.decide(c.token, m, rs)
		if err != nil {
			return err
		}
		used := meant[m.Grant]
		delete(meant, m.Grant) // another spelling of the variable has the same value
		honey := d.allows() && d.secret.Honey
		if honey {
			c.honey = append(c.honey, d.path)
		}
		if len(used) == 0 {
			continue
		}
		if d.secret.Type == SSHKey {
			return &TemplateError{path, fmt.Sprintf("uses %q, which is an SSH key, and stays in the vault", used[0])}
		}
		for _, name := range used {
			if !d.allows() || honey {
				break
			}
			if c.Values[name], err = o.openGranted(&d); err != nil {
				return err
			}
			if size += c.Values[name].Len(); size > maxFetch {
				return &TemplateError{path, fmt.Sprintf("uses values of more than %d bytes in all", maxFetch)}
			}
		}
		c.resources = append(c.resources, audit.Resource{Path: m.Path, Decision: d.text})
		if !d.allows() {
			return &TemplateError{path, fmt.Sprintf("uses %q, which the token does not open any more", used[0])}
		}
	}
	return nil
}

// named returns the grant, by its id, of what a name in a template means.
func (r tokenRow) named(name string) (grant string, err error) {
	found := map[string]string{} // grants by path
	for _, m := range r.Mappings {
		if name == m.Path || name == strings.ReplaceAll(m.Path, "/", "_") || name == m.Env {
			found[m.Path] = m.Grant
		}
	}
	switch paths := slices.Sorted(maps.Keys(found)); len(paths) {
	case 0:
		return "", fmt.Errorf("uses %q, which the token does not open: grant it to the project, and name it in its .env file", name)
	case 1:
		return found[paths[0]], nil
	default:
		return "", fmt.Errorf("uses %q, which means both %s and %s", name, paths[0], paths[1])
	}
}
