package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// misuse sends a step's request in all the ways that are refused for every
// operation alike. Nothing comes of it.
func (p *player) misuse(t *testing.T, st step) {
	t.Helper()
	st.name = "usual"
	if len(p.schemes(st.op)) > 0 {
		p.refused(t, st, p.stranger(t, st), http.StatusUnauthorized, api.Unauthorized)
	}
	if st.op.method != http.MethodGet {
		r := p.request(t, st)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		p.refused(t, st, r, http.StatusForbidden, api.Forbidden)
	}
	if form, ok := p.body(st.op); ok {
		p.misuseBody(t, st)
		if _, ok := form.example("proved"); ok && len(p.schemes(st.op)) == 0 {
			stale := step{st.op, "proved", st.who}
			p.check(t, stale.String()+" long ago", st.op, p.s.Do(t, p.stranger(t, stale)))
		}
	}
	p.misuseParameters(t, st)
}

func (p *player) misuseBody(t *testing.T, st step) {
	t.Helper()
	p.refused(t, st, p.request(t, st, `{"a":`), http.StatusBadRequest, api.InvalidRequest)
	p.refused(t, st, p.request(t, st, strings.Repeat(" ", 2<<20+1)), http.StatusRequestEntityTooLarge, api.TooLarge)
	if _, ok := p.responses(st.op)["415"]; ok {
		r := p.request(t, st)
		r.Header.Set("Content-Type", "text/plain")
		p.refused(t, st, r, http.StatusUnsupportedMediaType, api.UnsupportedMediaType)
	}
}

func (p *player) misuseParameters(t *testing.T, st step) {
	t.Helper()
	for _, l := range p.parameters(st.op) {
		r, name := p.request(t, st), l.object["name"].(string)
		switch l.object["in"] {
		case "query":
			r.Path += "?" + name + "=a&" + name + "=b"
			p.refused(t, st, r, http.StatusBadRequest, api.InvalidRequest)
		case "path":
			r.Path = strings.ReplaceAll(st.op.path, "{"+name+"}", "%00")
			p.refused(t, st, r, http.StatusBadRequest, api.InvalidRequest)
		}
		if _, ok := p.responses(st.op)["404"]; ok && l.object["in"] == "path" {
			unknown := step{st.op, "unknown", st.who}
			p.refused(t, st, p.request(t, unknown), http.StatusNotFound, api.NotFound)
		}
	}
}

// refused sends a request, and fails unless the answer is a described one with
// this status and code.
func (p *player) refused(t *testing.T, st step, r servertest.Request, status int, code api.Code) {
	t.Helper()
	a := p.s.Do(t, r)
	if a.Status != status || a.Code() != string(code) {
		t.Errorf("%s %s: %d %.200s, want %d %s", r.Method, r.Path, a.Status, a.Body, status, code)
		return
	}
	p.check(t, st.op.id+" refused", st.op, a)
}

// confined asks as somebody who may see little, and fails unless the description
// tells where they hear no.
func (p *player) confined(t *testing.T, st step) {
	t.Helper()
	if p.cast.tokens["bob"] == "" || st.op.method != http.MethodGet || len(p.schemes(st.op)) != 1 || p.schemes(st.op)[0] != "admin" {
		return
	}
	a := p.s.Do(t, p.request(t, step{st.op, "inside", "bob"}))
	p.check(t, st.op.id+" as bob", st.op, a)
	if _, ok := p.responses(st.op)["403"]; ok != (a.Status == http.StatusForbidden) {
		t.Errorf("%s as bob: %d %.200s", st.op.id, a.Status, a.Body)
	}
}
