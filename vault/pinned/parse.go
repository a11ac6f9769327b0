package pinned

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseCommand reads a command from JSON, of at most [MaxCommand] bytes. Two members
// of one name, a known name in another case, null, and all that is no valid
// command are an *[Error]. Unknown members are ignored, and are not pinned.
func ParseCommand(text []byte) (Command, error) {
	if len(text) > MaxCommand {
		return Command{}, wrong("", "is longer than %d bytes", MaxCommand)
	}
	var c Command
	err := readObject(text, "", map[string]reader{
		"program": asText(&c.Program), "program_sha256": asText(&c.ProgramSHA256),
		"interpreter": asText(&c.Interpreter), "interpreter_sha256": asText(&c.InterpreterSHA256),
		"args": asTexts(&c.Args), "files": asFiles(&c.Files, false), "dir": asText(&c.Dir), "weak": asTexts(&c.Weak),
	})
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return Command{}, err
	}
	return c, nil
}

// ParsePin reads a pin from JSON, of at most [MaxPin] bytes, as [ParseCommand] reads
// a command; but an unknown member is an error, because it may say what the pin does
// not allow.
func ParsePin(text []byte) (Pin, error) {
	if len(text) > MaxPin {
		return Pin{}, wrong("", "is longer than %d bytes", MaxPin)
	}
	var p Pin
	err := readObject(text, "", map[string]reader{
		"program": asText(&p.Program), "program_sha256": asText(&p.ProgramSHA256),
		"interpreter": asText(&p.Interpreter), "interpreter_sha256": asText(&p.InterpreterSHA256),
		"args": asTexts(&p.Args), "files": asFiles(&p.Files, true), "dirs": asTexts(&p.Dirs), "env": asTexts(&p.Env), "weak": asTexts(&p.Weak),
		"sealed": asBool(&p.Sealed),
		unknown:  nil,
	})
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return Pin{}, err
	}
	return p, nil
}

// A reader reads the value of a member.
type reader func(name string, value json.RawMessage) error

// unknown stands among the members of an object that has no others.
const unknown = ""

// readObject reads a text that is one object and nothing else. Names in errors are
// those of members, in an object called within.
func readObject(text []byte, within string, members map[string]reader) error {
	if !utf8.Valid(text) || !json.Valid(text) {
		return wrong(within, "is not valid JSON")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return wrong(within, "is no object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, isText := t.(string)
		if err != nil || !isText || seen[name] {
			return wrong(within, "has two members of one name")
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return wrong(within, "is nested too deep")
		}
		read, err := find(members, within, name)
		if err == nil && read != nil {
			err = read(strings.TrimPrefix(within+"."+name, "."), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// find returns what reads a member, nil for one to be ignored.
func find(members map[string]reader, within, name string) (reader, error) {
	if read, known := members[name]; known && name != unknown {
		return read, nil
	}
	if _, strictly := members[unknown]; strictly {
		return nil, wrong(within, "has an unknown member")
	}
	for other := range members {
		if strings.EqualFold(name, other) {
			return nil, wrong(within, "has a member whose name is in the wrong case")
		}
	}
	return nil, nil
}

func asText(to *string) reader {
	return func(name string, value json.RawMessage) error {
		if value[0] != '"' || json.Unmarshal(value, to) != nil {
			return wrong(name, "must be a string")
		}
		return nil
	}
}

func asBool(to *bool) reader {
	return func(name string, value json.RawMessage) error {
		if value[0] == 'n' || json.Unmarshal(value, to) != nil {
			return wrong(name, "must be true or false")
		}
		return nil
	}
}

func asTexts(to *[]string) reader {
	return asArray(to, func(name string, value json.RawMessage, one *string) error { return asText(one)(name, value) })
}

func asFiles(to *[]File, strictly bool) reader {
	return asArray(to, func(name string, value json.RawMessage, f *File) error {
		f.Arg = -1
		members := map[string]reader{"arg": asIndex(&f.Arg), "path": asText(&f.Path), "sha256": asText(&f.SHA256)}
		if strictly {
			members[unknown] = nil
		}
		return readObject(value, name, members)
	})
}

func asArray[T any](to *[]T, read func(name string, value json.RawMessage, one *T) error) reader {
	return func(name string, value json.RawMessage) error {
		var values []json.RawMessage
		if value[0] != '[' || json.Unmarshal(value, &values) != nil {
			return wrong(name, "must be an array")
		}
		*to = slices.Grow(*to, len(values))[:len(values)] // nil for none
		for i, v := range values {
			if err := read(name, v, &(*to)[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func asIndex(to *int) reader {
	return func(name string, value json.RawMessage) error {
		n, err := strconv.ParseUint(string(value), 10, 16)
		if err != nil {
			return wrong(name, "must be the number of an argument")
		}
		*to = int(n)
		return nil
	}
}
