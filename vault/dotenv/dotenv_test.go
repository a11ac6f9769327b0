package dotenv

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, row := range []struct {
		rule, text string
		want       []string
	}{
		{"empty", "", nil},
		{"name and value", "A=1", []string{"A"}},
		{"lines end in LF", "A=1\nB=2\n", []string{"A", "B"}},
		{"lines end in CR LF", "A=1\r\nB\r\n", []string{"A", "B"}},
		{"last line without end", "A\nB", []string{"A", "B"}},
		{"no equals sign: the whole line", "A\nB C", []string{"A", "B C"}},
		{"trimmed", "  A  =  1  \n\tB\t", []string{"A", "B"}},
		{"trimmed of Unicode space", "\u00a0A\u2003=1\n\u0085B", []string{"A", "B"}},
		{"empty lines", "\n\n  \nA\n\n", []string{"A"}},
		{"comments", "# c\n  #d=1\nA=1 # e\n#", []string{"A"}},
		{"a hash inside is no comment", "A#B=1", []string{"A#B"}},
		{"first equals sign", "A=b=c", []string{"A"}},
		{"nothing before the sign", "=1\n  = 2\n==", nil},
		{"no export prefix", "export A=1", []string{"export A"}},
		{"no quoting", "\"A\"='x\ny'", []string{"\"A\"", "y'"}},
		{"duplicates stay, order too", "B\nA\nB", []string{"B", "A", "B"}},
		{"as written, any case", "openAI_key=1", []string{"openAI_key"}},
		{"no check of names", "1-a.b/c\nÜ=1\nA\rB=1", []string{"1-a.b/c", "Ü", "A\rB"}},
		{"values are not looked at", "A=\xff\xfe", []string{"A"}},
	} {
		got, err := Names(row.text)
		if err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, %v; want %q", row.rule, got, err, row.want)
		}
		if fromBytes, err := Names([]byte(row.text)); err != nil || !slices.Equal(fromBytes, row.want) {
			t.Errorf("%s, as bytes: %q, %v", row.rule, fromBytes, err)
		}
	}
}

func TestNamesLimits(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		err  error
	}{
		"largest text":   {"#" + strings.Repeat("x", MaxSize-1), nil},
		"text too large": {"#" + strings.Repeat("x", MaxSize), ErrLimit},
		"most names":     {strings.Repeat("A\n", MaxNames), nil},
		"too many names": {strings.Repeat("A\n", MaxNames+1), ErrLimit},
		"longest name":   {strings.Repeat("A", MaxName) + "=1", nil},
		"no name at all": {strings.Repeat("A", MaxName+1) + "=1", nil},
		"name not text":  {"A\nB\xff=1", ErrText},
	} {
		if _, err := Names(row.text); !errors.Is(err, row.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Names("OK=1\nhush\xff")
	if err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v", err)
	}
	// A piece of something else, which older daemons send too.
	names, err := Names("OK=1\n" + strings.Repeat("hush", 200) + "\nLAST=1")
	if err != nil || !slices.Equal(names, []string{"OK", "LAST"}) {
		t.Errorf("names %v, %v", names, err)
	}
}

func TestFormHasNoValues(t *testing.T) {
	names, err := Names("A=sk-hush\nB\n")
	if err != nil || Form(names) != "A=\nB=\n" {
		t.Errorf("%q, %v", Form(names), err)
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "A=1\nB\n", "# c\r\n export X = 'y'", "=\n#\n\u00a0", "A\rB", "\xff=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names, err := Names(text)
		if err != nil {
			return
		}
		form := Form(names)
		if len(form) > MaxSize {
			return // names so many and short that the signs outweigh them
		}
		again, err := Names(form)
		if err != nil || !slices.Equal(again, names) {
			t.Fatalf("%q → %q → %q, %v", text, names, again, err)
		}
	})
}
