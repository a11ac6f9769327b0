package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A discloser is an answer with secrets in it.
type discloser interface {
	// disclosed returns the JSON form, which the caller wipes, and wipes the
	// secrets. It can be called once.
	disclosed() ([]byte, error)
}

// A disclosure is an answer of any type, and the secrets in it.
type disclosure struct {
	answer  any
	secrets []api.Value
}

func disclose(answer any, secrets ...api.Value) disclosure { return disclosure{answer, secrets} }

func (d disclosure) disclosed() ([]byte, error) {
	defer func() {
		for _, s := range d.secrets {
			s.Wipe()
		}
	}()
	return encode(d.answer)
}

// fetched are the values of a project: what api.ProjectSecrets is for clients.
// This is what the server does most, and package json keeps copies of what it
// encoded, so it is written by hand.
type fetched vault.FetchResult

func (f fetched) disclosed() ([]byte, error) {
	defer func() {
		for _, v := range f.Values {
			v.Wipe()
		}
	}()
	tail, err := f.tail()
	if err != nil {
		return nil, err
	}
	const head = `{"env_vars":{`
	size := len(head) + len(tail)
	for name, v := range f.Values {
		size += text(name).JSONSize() + api.NewValue(v.Reveal()).JSONSize() + len(`:,`)
	}
	b := append(make([]byte, 0, size), head...)
	for i, name := range slices.Sorted(maps.Keys(f.Values)) {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendVariable(b, name, f.Values[name]); err != nil {
			clear(b)
			return nil, err
		}
	}
	return append(b, tail...), nil
}

// tail returns what comes behind the last value: there are no secrets in it.
func (f fetched) tail() ([]byte, error) {
	b := []byte("}")
	if len(f.SSHKeys) > 0 {
		keys := map[string]api.SSHKey{}
		for name, k := range f.SSHKeys {
			keys[name] = api.SSHKey{PublicKey: k.Key, Hosts: k.Hosts}
		}
		text, err := json.Marshal(keys)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, ",\"ssh_keys\":%s", text)
	}
	if len(f.Withheld) > 0 {
		text, err := json.Marshal(f.Withheld)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, ",\"withheld\":%s", text)
	}
	if f.Offline != nil {
		text, err := json.Marshal(api.Offline{TTLSeconds: int64(f.Offline.TTL.Seconds()), Receipt: f.Offline.Receipt})
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, ",\"offline\":%s", text)
	}
	if cmp.Or(f.Commands, vault.CommandsAny) != vault.CommandsAny {
		b = fmt.Appendf(b, ",\"commands\":%q", f.Commands)
	}
	if f.Pin != nil {
		text, err := json.Marshal(api.AllowedPin(*f.Pin))
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, ",\"pin\":%s", text)
	}
	return append(b, "}\n"...), nil
}

// appendVariable adds one member. The result never outgrows b, which would
// leave a copy behind.
func appendVariable(b []byte, name string, value opaque.Bytes) ([]byte, error) {
	b, err := text(name).AppendJSON(b)
	if err != nil {
		return b, err
	}
	return api.NewValue(value.Reveal()).AppendJSON(append(b, ':'))
}

// text is a name, as JSON has it.
func text(name string) api.Value { return api.NewValue([]byte(name)) }

// rendered is a template with values in it. It is the one answer that is no
// JSON.
type rendered struct{ text opaque.Bytes }

func (r rendered) disclosed() ([]byte, error) {
	defer r.text.Wipe()
	return bytes.Clone(r.text.Reveal()), nil
}

func (rendered) mediaType() string { return "text/plain; charset=utf-8" }
