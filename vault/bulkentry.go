package vault

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/go-envparse"

	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/jsontext"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// An entry is one secret to be.
type entry struct {
	name, path string
	kind       SecretType
	value      opaque.Bytes
	problem    string // why it cannot be one
}

// entries reads the content, whose values the caller wipes, by path.
func (b Bulk) entries() (all []entry, err error) {
	switch b.Format {
	case BulkDotenv:
		all, err = dotenvEntries(b.Content.Reveal())
	case BulkJSON:
		all, err = jsonEntries(b.Content.Reveal())
	default:
		err = invalid("format", "must be dotenv or json")
	}
	if err == nil && len(all) > MaxBulk {
		err = invalid("content", "must not have more than %d entries", MaxBulk)
	}
	if err != nil {
		wipeEntries(all)
		return nil, err
	}
	taken := map[string]bool{}
	for i := range all {
		all[i].place(b, taken)
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.name, b.name)) })
	return all, nil
}

// place makes the entry's path, and finds what is wrong with the entry.
func (e *entry) place(b Bulk, taken map[string]bool) {
	name := e.name
	if b.Lowercase {
		name = strings.ToLower(name)
	}
	e.path = b.Prefix + name
	switch {
	case e.problem != "":
	case !proof.ValidPath(e.path):
		e.problem = "makes no path: want 1 to 512 letters, digits, '_', '.', '/' or '-', without '..'"
	case taken[e.path]:
		e.problem = "makes the same path as another"
	default:
		if bad, ok := errors.AsType[*InvalidError](checkValue(e.kind, e.value)); ok {
			e.problem = "has a value that " + bad.Reason
		}
	}
	taken[e.path] = true
}

func wipeEntries(all []entry) {
	for _, e := range all {
		e.value.Wipe()
	}
}

// dotenvEntries reads a .env file. The parser makes strings of the values, which
// cannot be wiped.
func dotenvEntries(text []byte) ([]entry, error) {
	names, err := dotenv.Names(text)
	if err != nil {
		return nil, invalid("content", "cannot be read: %v", err)
	}
	written := map[string]int{} // how often
	for _, name := range names {
		written[strings.TrimSpace(strings.TrimPrefix(name, "export "))]++
	}
	values, err := envparse.Parse(bytes.NewReader(text))
	if err != nil {
		if e, ok := errors.AsType[*envparse.ParseError](err); ok {
			return nil, invalid("content", "line %d is not of the form NAME=value", e.Line)
		}
		return nil, invalid("content", "is not of the form NAME=value")
	}
	var all []entry
	for name, value := range values {
		e := entry{name: name, kind: KeyValue, value: opaque.New([]byte(value))}
		if written[name] > 1 {
			e.problem = "is there more than once"
		}
		all = append(all, e)
	}
	return all, nil
}

// jsonEntries reads an object.
func jsonEntries(text []byte) (all []entry, err error) {
	if err := jsontext.Check(text); err != nil {
		return nil, invalid("content", "must be JSON: %v", err)
	}
	if !jsontext.IsObject(text) {
		return nil, invalid("content", "must be a JSON object")
	}
	for name, raw := range jsontext.Members(text) {
		e := entry{name: name, kind: KeyValue}
		switch {
		case jsontext.IsObject(raw) || jsontext.IsArray(raw):
			e.kind = JSONConfig
		case !jsontext.IsString(raw):
			e.problem = "is a number, true, false or null: want a text, an object or an array"
		}
		value, err := jsontext.Plain(raw)
		if err != nil {
			wipeEntries(all)
			return nil, err // unreachable: the text was checked
		}
		e.value = opaque.New(value)
		all = append(all, e)
	}
	return all, nil
}
