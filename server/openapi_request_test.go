package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

// request makes the request of a step, with another body if one is given.
func (p *player) request(t *testing.T, st step, body ...string) servertest.Request {
	t.Helper()
	r := p.stranger(t, st)
	if text, ok := r.Body.([]byte); ok {
		r.Body = p.cast.sign(t, st, text)
	}
	for _, text := range body {
		r.Body = []byte(text)
	}
	p.cast.show(t, st, p.schemes(st.op), &r)
	return r
}

// stranger makes the request of a step without credentials and signatures.
func (p *player) stranger(t *testing.T, st step) servertest.Request {
	t.Helper()
	r := servertest.Request{Method: st.op.method, Path: st.op.path, Header: http.Header{}}
	query := url.Values{}
	for _, l := range p.parameters(st.op) {
		p.fill(st, l, &r, query)
	}
	if len(query) > 0 {
		r.Path += "?" + query.Encode()
	}
	if form, ok := p.body(st.op); ok {
		r.Body = encodeJSON(t, p.translateAll(form.exampleOrUsual(st.name)))
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// fill gives a parameter of a request its value. Only those of the path and
// headers have a usual one.
func (p *player) fill(st step, l located, r *servertest.Request, query url.Values) {
	name, in := l.object["name"].(string), l.object["in"].(string)
	v, ok := l.example(st.name)
	if !ok && in != "query" {
		v, ok = l.example("usual")
	}
	if !ok {
		return
	}
	switch text := p.translate(fmt.Sprint(v)); in {
	case "path":
		r.Path = strings.ReplaceAll(r.Path, "{"+name+"}", url.PathEscape(text))
	case "query":
		query.Set(name, text)
	case "header":
		r.Header.Set(name, text)
	}
}

func encodeJSON(t *testing.T, v any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(buf.Bytes())
}

// translateAll translates the texts in a value.
func (p *player) translateAll(v any) any {
	switch x := v.(type) {
	case string:
		return p.translate(x)
	case []any:
		all := make([]any, len(x))
		for i := range x {
			all[i] = p.translateAll(x[i])
		}
		return all
	case object:
		all := object{}
		for name := range x {
			all[p.translate(name)] = p.translateAll(x[name])
		}
		return all
	}
	return v
}

// translate puts what the server calls things in place of what the description
// calls them.
func (p *player) translate(text string) string {
	var pairs []string
	for name, live := range p.live {
		pairs = append(pairs, name, live)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
