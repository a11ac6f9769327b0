package pinned

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	sumA = strings.Repeat("a", 64)
	sumB = strings.Repeat("b", 64)
)

// deploy is a command with something of everything.
func deploy() Command {
	return Command{
		Program: "/srv/app/deploy", ProgramSHA256: sumA, Interpreter: "/usr/bin/python3.11", InterpreterSHA256: sumB,
		Args: []string{"--config=prod.toml", "now"}, Files: []File{{0, "/srv/app/prod.toml", sumA}}, Dir: "/srv/app",
	}
}

// with returns the command with something changed.
func (c Command) with(change func(*Command)) Command {
	c.Args, c.Files, c.Weak = slices.Clone(c.Args), slices.Clone(c.Files), slices.Clone(c.Weak)
	change(&c)
	return c
}

func TestTooLong(t *testing.T) {
	c := deploy()
	c.Args[1] = strings.Repeat("x", MaxCommand-len(c.Encode())+len("now"))
	if err := c.Validate(); err != nil {
		t.Errorf("of %d bytes: %v", len(c.Encode()), err)
	}
	if got, err := ParseCommand(c.Encode()); err != nil || got.Digest() != c.Digest() {
		t.Errorf("read again: %v", err)
	}
	c.Args[1] += "x"
	for what, err := range map[string]error{
		"validated": c.Validate(),
		"read":      second(ParseCommand(c.Encode())),
		// Shorter as it was sent than in its one form.
		"white space": second(ParseCommand(append(deploy().Encode(), make([]byte, MaxCommand)...))),
	} {
		if err == nil || err.Error() != "is longer than 32768 bytes" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestDigestIsOfEverything(t *testing.T) {
	seen := map[string]string{deploy().Digest(): "nothing"}
	for what, change := range map[string]func(*Command){
		"program":         func(c *Command) { c.Program = "/bin/true" },
		"its hash":        func(c *Command) { c.ProgramSHA256 = sumB },
		"interpreter":     func(c *Command) { c.Interpreter = "/bin/sh" },
		"its hash, too":   func(c *Command) { c.InterpreterSHA256 = sumA },
		"an argument":     func(c *Command) { c.Args[1] = "later" },
		"one more":        func(c *Command) { c.Args = append(c.Args, "") },
		"two as one":      func(c *Command) { c.Args = []string{"--config=prod.toml now"} },
		"a file":          func(c *Command) { c.Files[0].Path = "/srv/prod.toml" },
		"a file's hash":   func(c *Command) { c.Files[0].SHA256 = sumB },
		"a file's number": func(c *Command) { c.Files[0].Arg = 1 },
		"no file":         func(c *Command) { c.Files = nil },
		"directory":       func(c *Command) { c.Dir = "/srv" },
		"weak":            func(c *Command) { c.Weak = []string{"dir"} },
	} {
		c := deploy().with(change)
		if err := c.Validate(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if other, found := seen[c.Digest()]; found {
			t.Errorf("%s has the digest of %s", what, other)
		}
		seen[c.Digest()] = what
	}
}

func TestUnknownMembers(t *testing.T) {
	more := func(text []byte) []byte {
		return []byte(`{"later":{"x":[1]},` + strings.ReplaceAll(string(text[1:]), `{"arg":0`, `{"later":null,"arg":0`))
	}
	c, err := ParseCommand(more(deploy().Encode()))
	if err != nil || c.Digest() != deploy().Digest() {
		t.Errorf("a command: %v", err)
	}
	for _, text := range []string{
		`{"later":1,` + string(Of(deploy()).Encode()[1:]),
		`{"":1,` + string(Of(deploy()).Encode()[1:]),
		strings.ReplaceAll(string(Of(deploy()).Encode()), `{"arg":0`, `{"later":null,"arg":0`),
	} {
		if _, err := ParsePin([]byte(text)); err == nil || !strings.HasSuffix(err.Error(), "has an unknown member") {
			t.Errorf("a pin %s: %v", text, err)
		}
	}
}

func TestWeaker(t *testing.T) {
	c := deploy().Weaker("home", "dir").Weaker("file:0", "file:1", "dir", "program", "interpreter", "later")
	if want := []string{"program", "interpreter", "file:0", "dir", "home"}; !reflect.DeepEqual(c.Weak, want) {
		t.Errorf("weak %q, want %q", c.Weak, want)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c := deploy().Weaker("interpreter").with(func(c *Command) { c.Interpreter, c.InterpreterSHA256 = "", "" }).Weaker(); len(c.Weak) > 0 {
		t.Error("weak is an interpreter that there is not")
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"/bin/true": "/bin/true", "é b": "é b", "": `""`, "\x1b]0;x\a": `"\x1b]0;x\a"`, "a\nb": `"a\nb"`,
		"\u202e": `"\u202e"`, "\xff": `"\xff"`, " a": `"\x20a"`, "a ": `"a\x20"`, "x   y z": `"x \x20\x20y z"`, " ": `"\x20"`,
		"a\u00a0b": `"a\u00a0b"`, "a\u2800b": `"a\u2800b"`, "a\u3164": `"a\u3164"`, "a\U000e0100": `"a\U000e0100"`, "a\u034f": `"a\u034f"`, `a"b`: `a"b`, `a\ b`: `a\ b`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q printed as %s, want %s", text, got, want)
		}
		if again, err := strconv.Unquote(Quoted(text)); err != nil || again != text {
			t.Errorf("%s is %q, %v", Quoted(text), again, err)
		}
	}
	c := deploy().with(func(c *Command) { c.Args = []string{"a b", "", `"`, "x\x1b", "y", "a  b"} })
	if got, want := c.Line(), `/srv/app/deploy "a b" "" "\"" "x\x1b" y "a \x20b"`; got != want {
		t.Errorf("line %s, want %s", got, want)
	}
	c = deploy().with(func(c *Command) { c.Files[0].Path = "/srv/\x1b[2J" })
	for token, want := range map[string]string{
		"program":     "whoever starts it can change the program /srv/app/deploy",
		"interpreter": "whoever starts it can change the interpreter /usr/bin/python3.11",
		"file:0":      `whoever starts it can change "\x1b[2J"`,
		"dir":         "whoever starts it can change the directory /srv/app, and programs read code from where they are",
		"home":        "whoever starts it can change the home directory, from which programs read code",
		"inline":      "an interpreter reads what it runs from an argument or from standard input",
		"\x1b":        `"\x1b"`,
	} {
		if got := c.Explain(token); got != want {
			t.Errorf("%s explained as %s, want %s", token, got, want)
		}
	}
}

func TestSealedIsTrueOrFalse(t *testing.T) {
	for _, value := range []string{"null", `"true"`, "1", "[]"} {
		if _, err := ParsePin([]byte(`{"program":"/bin/true","args":[],"sealed":` + value + `}`)); err == nil || err.Error() != "sealed must be true or false" {
			t.Errorf("%s: %v", value, err)
		}
	}
	for _, value := range []bool{true, false} {
		p, err := ParsePin(fmt.Appendf(nil, `{"program":"/bin/true","args":[],"sealed":%v}`, value))
		if err != nil || p.Sealed != value {
			t.Errorf("%v: %+v, %v", value, p, err)
		}
	}
}
