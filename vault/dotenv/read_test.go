package dotenv

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"\n\r\n  \n# KEY=1\n", nil},
		{"KEY=", []string{"KEY"}},
		{"KEY=v\r\nkey.two-3 = v # c\n_x=\n", []string{"KEY", "key.two-3", "_x"}},
		{"\ufeffKEY=v", []string{"KEY"}},
		{"export KEY=v\n\texport\tB=2\nexported=3\nexport=4", []string{"KEY", "B", "exported", "export"}},
		{"A=1\nA=2", []string{"A", "A"}},
		{"PEM=\"-----BEGIN KEY-----\nMIIEvQIBADAN\nabc==\n-----END KEY-----\"\nNEXT=1", []string{"PEM", "NEXT"}},
		{"A='one\nB=2\n' # c\nC=`\n\n`\nD=\"a\\\"\nE=1\"\nF=", []string{"A", "C", "D", "F"}},
		{"A='it''s'\nB=\"\"\nC=''", []string{"A", "B", "C"}},
		{"A=a\"b\nB=it's", []string{"A", "B"}},
		{"A=\"unclosed \\", nil},
	} {
		entries, err := Read([]byte(c.text))
		got := EntryNames(entries)
		if !slices.Equal(got, c.want) || (err != nil) != strings.Contains(c.text, "unclosed") {
			t.Errorf("%q: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestReadBlanks(t *testing.T) {
	entries, err := Read([]byte("A=\nB= # none\nC=\"\"\nD=''\nE=x\nF=\" \"\nG='\n'"))
	var blank []string
	for _, e := range entries {
		if e.Blank {
			blank = append(blank, e.Name)
		}
	}
	if err != nil || !slices.Equal(blank, []string{"A", "B", "C", "D"}) {
		t.Errorf("%q, %v", blank, err)
	}
}

// What is no assignment may be a piece of a secret: it is refused, and not
// quoted.
func TestReadRefuses(t *testing.T) {
	for text, line := range map[string]string{
		"hunter2-the-secret": "line 1:",
		"A=1\nPEM=-----BEGIN KEY-----\nMIIEvQIBADANhunter2\n": "line 3:",
		"A=1\n\nAKIAHUNTER2\nB=2":                             "line 3:",
		"A=\"x\ny\"\nhunter2 B=2":                             "line 3:",
		"A=\"x\nhunter2\nB=2":                                 "line 1:",
		"1A=hunter2":                                          "line 1:",
		"A B=hunter2":                                         "line 1:",
		"hunter2+abc/def=":                                    "line 1:",
		"=hunter2":                                            "line 1:",
		"\"K\"=hunter2":                                       "line 1:",
		"K:hunter2":                                           "line 1:",
		"é=hunter2":                                           "line 1:",
	} {
		names, err := Read([]byte(text))
		if names != nil || !errors.Is(err, ErrForm) || !strings.HasPrefix(err.Error(), line) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, %v", text, names, err)
		}
	}
	if _, err := Read([]byte(strings.Repeat("A=\n", MaxNames+1))); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := Read(make([]byte, MaxSize+1)); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := Read([]byte(strings.Repeat("A", MaxName+1) + "=")); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

// FuzzRead: what is read are names, which come back from the form that is sent.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"A=1\nexport B=\"2\n3\"\n#c\nC='", "\ufeffA=`\\`\n", "A=\"\\\"\"\n=\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := Read(text)
		if err != nil {
			return
		}
		names := EntryNames(entries)
		for _, name := range names {
			if !isName([]byte(name)) {
				t.Fatalf("%q is no name", name)
			}
		}
		again, err := Names(Form(names))
		if err != nil || !slices.Equal(again, names) {
			t.Fatalf("%q comes back as %q, %v", names, again, err)
		}
		if strict, err := Read([]byte(Form(names))); err != nil || !slices.Equal(EntryNames(strict), names) {
			t.Fatalf("%q is read as %v, %v", names, strict, err)
		}
	})
}
