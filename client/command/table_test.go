package command

import (
	"bytes"
	"errors"
	"iter"
	"testing"
)

// What servers and others chose comes out of a table inert, one line for a row.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	rows := [][]string{{"a", "longer than that", ""}, {"\x1b[2J\n", "\u202ertl\t", "<script>"}, {"", "", "ü"}}
	if err := (table[[]string]{"ONE\tTWO\tTHREE", func(r []string) []string { return r }}).write(&out, rows); err != nil {
		t.Fatal(err)
	}
	want := `ONE          TWO               THREE
a            longer than that  -
"\x1b[2J\n"  "\u202ertl\t"     <script>
-            -                 ü
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestFields(t *testing.T) {
	var out bytes.Buffer
	if err := writeFields(&out, "path", "a/b", "description", "", "id", "1"); err != nil {
		t.Fatal(err)
	}
	if want := "path  a/b\nid    1\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

// A list ends where it was asked to, without asking for what comes behind, and
// shows nothing if it breaks off.
func TestFirst(t *testing.T) {
	broken := errors.New("broken")
	asked := 0
	rows := iter.Seq2[int, error](func(yield func(int, error) bool) {
		for asked = 1; asked <= 3; asked++ {
			if !yield(asked, nil) {
				return
			}
		}
		yield(0, broken)
	})
	if got, err := first(rows, 2); err != nil || len(got) != 2 || asked != 2 {
		t.Errorf("first 2: %v, %v, after %d", got, err, asked)
	}
	if got, err := first(rows, 0); !errors.Is(err, broken) || got != nil {
		t.Errorf("all: %v, %v", got, err)
	}
	if got, err := first(whole([]int(nil), nil), 0); err != nil || got == nil {
		t.Errorf("none: %v, %v", got, err)
	}
	if _, err := first(whole([]int{1}, broken), 0); !errors.Is(err, broken) {
		t.Errorf("whole: %v", err)
	}
}

func TestTame(t *testing.T) {
	for text, want := range map[string]string{
		"plain\n\tü€": "plain\n\tü€",
		"a\x1b[2Jb":   "a?[2Jb",
		"\u202ertl":   "???rtl",
		"\xff\r\x00":  "???",
	} {
		got := []byte(text)
		if was := tame(got); string(got) != want || was != (text != want) {
			t.Errorf("tame(%q) = %q, %v", text, got, was)
		}
	}
}
