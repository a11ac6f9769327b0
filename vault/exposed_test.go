package vault_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// templateFiles sets whether project app lets templates be files on a disk.
func templateFiles(t *testing.T, v *vault.Vault, how vault.TemplateFiles) {
	t.Helper()
	if s, err := v.UpdateProject(t.Context(), vaulttest.Admin, "", "app", vault.ProjectChange{TemplateFiles: &how}); err != nil || s.TemplateFiles != how {
		t.Fatal(s, err)
	}
}

// exposed asks for a rendered template for a file on a disk.
func (h *host) exposed(project, template, path string, bearer []byte) (string, error) {
	return h.exposedFor(project, template, path, nil, bearer)
}

// exposedFor is exposed for a command, if it is not nil.
func (h *host) exposedFor(project, template, path string, c *pinned.Command, bearer []byte) (string, error) {
	body := `{"path":"` + path + `"}`
	if c != nil {
		body = `{"command":` + string(c.Encode()) + `,"path":"` + path + `"}`
	}
	text, err := h.v.FetchConfig(h.t.Context(), vaulttest.Origin, vault.ConfigRequest{
		Project: project, Template: template, Bearer: opaque.New(bearer), Exposed: path, Body: []byte(body), Command: c,
		Attestation: h.sign("POST", "/project/config/"+project+"/"+template, body, proof.AuthTokenID(string(bearer))),
	})
	return string(text.Reveal()), err
}

// A text leaves for a disk where the project allows it, and with the path on the
// record.
func TestConfigExposed(t *testing.T) {
	v, h, _, bearer := ready(t)
	keepTemplate(t, v, "conf", "{{KEY}}", false)
	refused := func() {
		t.Helper()
		_, err := h.exposed("app", "conf", "/srv/app.conf", bearer)
		want(t, err, vault.ErrExposure)
		if got := actions(t, v, 1); got[0] != "get_config denied" {
			t.Error(got)
		}
	}
	refused()
	templateFiles(t, v, vault.FilesAllow)
	if got, err := h.exposed("app", "conf", "/srv/app.conf", bearer); err != nil || got != "value" {
		t.Fatal(got, err)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
	if err != nil || len(rows[0].Resources) != 3 || rows[0].Resources[0].Path != "/srv/app.conf" || rows[0].Resources[0].Decision != "exposed" {
		t.Errorf("recorded %+v, %v", rows[0], err)
	}
	for _, path := range []string{"app.conf", "/a\nb", "/\xff", "/" + strings.Repeat("a", 1024)} {
		_, err := h.exposed("app", "conf", path, bearer)
		if e, ok := errors.AsType[*vault.InvalidError](err); !ok || e.Field != "path" {
			t.Errorf("%q: %v", path, err)
		}
	}
	// What was signed is for this path, and for that in memory there is another
	// signature.
	body := `{"path":"/srv/app.conf"}`
	for method, signed := range map[string]string{"GET": "", "POST": `{"path":"/etc/other"}`} {
		_, err := v.FetchConfig(t.Context(), vaulttest.Origin, vault.ConfigRequest{
			Project: "app", Template: "conf", Bearer: opaque.New(bearer), Exposed: "/srv/app.conf", Body: []byte(body),
			Attestation: h.sign(method, "/project/config/app/conf", signed, proof.AuthTokenID(string(bearer))),
		})
		want(t, err, vault.ErrUnauthorized)
	}
	templateFiles(t, v, vault.FilesDeny)
	refused()
	intact(t, v)
}

// A file on a disk is for the commands that values are for, and an approved command has
// none where the project says so.
func TestConfigExposedEnforced(t *testing.T) {
	v, h, _, bearer := ready(t)
	keepTemplate(t, v, "conf", "{{KEY}}", false)
	templateFiles(t, v, vault.FilesAllow)
	commands(t, v, "app", vault.CommandsEnforce)
	const path = "/srv/app.conf"
	_, err := h.exposed("app", "conf", path, bearer)
	if e := refusedFor(t, err, "the daemon does not say what it runs"); e.PinID != "" {
		t.Errorf("kept %s", e.PinID)
	}
	text, err := h.exposedFor("app", "conf", path, command("now"), bearer)
	e := refusedFor(t, err, pinned.NothingApproved)
	if text != "" {
		t.Errorf("a refusal with %q", text)
	}
	_, err = v.ApprovePin(t.Context(), vaulttest.Admin, "app", e.PinID, vault.PinChange{})
	want(t, err, nil)
	if text, err := h.exposedFor("app", "conf", path, command("now"), bearer); err != nil || text != "value" {
		t.Fatal(text, err)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
	want(t, err, nil)
	var got []string
	for _, r := range rows[0].Resources {
		got = append(got, r.Decision)
	}
	if !slices.Equal(got[:2], []string{"pin=" + e.PinID, "exposed"}) || rows[0].Resources[1].Path != path {
		t.Errorf("recorded %+v", rows[0].Resources)
	}
	_, err = h.exposedFor("app", "conf", path, command("later"), bearer)
	refusedFor(t, err, "argument 1 is not what was approved")
	templateFiles(t, v, vault.FilesDeny)
	_, err = h.exposedFor("app", "conf", path, command("now"), bearer)
	want(t, err, vault.ErrExposure)
	intact(t, v)
}
