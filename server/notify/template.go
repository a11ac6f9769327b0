package notify

import (
	"maps"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/vault"
)

// maxPlaceholders bounds how often a template names fields.
const maxPlaceholders = 24

// A step of a template is a text, or the name of a field.
type step struct{ text, field string }

// parseTemplate reads a template: text with names of fields in double braces,
// such as {{agent}}, and nothing else. There are no conditions and no
// functions.
func parseTemplate(s string) (steps []step, err error) {
	known := fieldsOf(vault.Message{}, "")
	for n := 0; ; n++ {
		text, rest, found := strings.Cut(s, "{{")
		if strings.Contains(text, "}}") {
			return nil, badTemplate("has }} without {{")
		}
		steps = append(steps, step{text: text})
		if !found {
			return steps, nil
		}
		name, rest, found := strings.Cut(rest, "}}")
		if !found {
			return nil, badTemplate("has {{ without }}")
		}
		name = strings.TrimSpace(name)
		if _, ok := known[name]; !ok {
			return nil, badTemplate("names a field that there is not; there are " + strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if n == maxPlaceholders {
			return nil, badTemplate("names too many fields")
		}
		steps, s = append(steps, step{field: name}), rest
	}
}

func badTemplate(reason string) error {
	return &vault.InvalidError{Field: "template", Reason: reason}
}

// CheckTemplate refuses a template that is not good. The empty one is.
func CheckTemplate(s string) error {
	_, err := parseTemplate(s)
	return err
}
