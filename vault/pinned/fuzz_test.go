package pinned

import (
	"bytes"
	"testing"
)

// What reads as a command has one form that reads as the same command, and a pin
// that allows it.
func FuzzParseCommand(f *testing.F) {
	f.Add(deploy().Encode())
	f.Add(deploy().Weaker("dir", "file:0").Encode())
	f.Add([]byte(`{"program":"/bin/\u0061","program_sha256":"` + sumA + `","args":["**","\\*","\u2028\ud834\udd1e"],"dir":"/a*","later":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseCommand(text)
		if err != nil {
			return
		}
		form := c.Encode()
		again, err := ParseCommand(form)
		if err != nil || !bytes.Equal(again.Encode(), form) || again.Digest() != c.Digest() {
			t.Fatalf("%q reads again as %+v, %v", form, again, err)
		}
		p := Of(c)
		if err := p.Validate(); err != nil {
			t.Fatalf("pin of %q: %v", form, err)
		}
		if ok, why := p.Allows(c); !ok {
			t.Fatalf("pin of %q: %s", form, why)
		}
		if p, err = ParsePin(p.Encode()); err != nil {
			t.Fatalf("pin of %q as it is kept: %v", form, err)
		}
		changed := c.with(func(c *Command) { c.Args = append(c.Args, "x") })
		if ok, _ := p.Allows(changed); ok {
			t.Fatalf("pin of %q allows one argument more", form)
		}
		if ok, why := p.AnyArgs().Allows(changed); !ok {
			t.Fatalf("pin of %q and any arguments: %s", form, why)
		}
	})
}

// What reads as a pin has one form that reads as the same pin.
func FuzzParsePin(f *testing.F) {
	f.Add(Of(deploy()).Encode(), deploy().Encode())
	f.Add(Of(deploy()).In("/srv/*/**").AnyArgs().Encode(), deploy().Encode())
	f.Add([]byte(`{"dirs":["/**"],"env":["AWS_*"]}`), deploy().Encode())
	f.Fuzz(func(t *testing.T, text, command []byte) {
		p, err := ParsePin(text)
		if err != nil {
			return
		}
		form := p.Encode()
		again, err := ParsePin(form)
		if err != nil || !bytes.Equal(again.Encode(), form) {
			t.Fatalf("%q reads again as %+v, %v", form, again, err)
		}
		c, err := ParseCommand(command)
		if err != nil {
			return
		}
		ok, why := p.Allows(c)
		okAgain, whyAgain := again.Allows(c)
		if ok != okAgain || why != whyAgain || ok != (why == "") {
			t.Fatalf("%q on %q: %v %q, %v %q", form, command, ok, why, okAgain, whyAgain)
		}
		p.Weakness()
	})
}

// Matching takes no longer than it has to, and agrees with the slow way.
func FuzzMatch(f *testing.F) {
	f.Add("a*b", "axb")
	f.Add(`\**`, "*x")
	f.Add("**a**", "ba")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 12 || !goodPattern(pattern) {
			return
		}
		if got, want := match(pattern, text), slowly(atoms(pattern), text); got != want {
			t.Fatalf("%q on %q: %v, want %v", pattern, text, got, want)
		}
		if !match(Quote(text), text) || match(Quote(text), text+"x") {
			t.Fatalf("%q is not only itself when it is quoted", text)
		}
	})
}

func slowly(pattern []atom, text string) bool {
	if len(pattern) == 0 {
		return text == ""
	}
	if pattern[0].star {
		return slowly(pattern[1:], text) || text != "" && slowly(pattern, text[1:])
	}
	return text != "" && text[0] == pattern[0].char && slowly(pattern[1:], text[1:])
}
