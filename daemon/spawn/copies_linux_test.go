package spawn

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What is handed over in place of a file is read, whatever is in the file by then.
func TestExactCopies(t *testing.T) {
	s := newStage(t)
	s.write("script", "#!/bin/sh\necho the file\n", 0o755)
	s.write("data", "of the file\n", 0o644)
	copyOf := func(arg int, text string) Copy { return Copy{arg, []byte(text)} }
	const readonly = `; echo more >>"$0" || echo refused`
	for _, row := range []struct {
		command []string
		copies  []Copy
		want    string
	}{
		{[]string{"./script", "a"}, []Copy{copyOf(-1, `echo "a copy, $*"`+readonly)}, "a copy, a\nrefused\n"},
		{[]string{"./script", "a", "data"}, []Copy{copyOf(-1, `cat "$2"`), copyOf(1, "of the copy\n")}, "of the copy\n"},
		{[]string{"sh", "script", "b"}, []Copy{copyOf(0, `echo "a copy, $*"`+readonly)}, "a copy, b\nrefused\n"},
		{[]string{"sh", "-c", `for a; do a=${a#-f}; cat ${a#--x=}; done`, "x", "data", "--x=data", "-fdata"}, []Copy{copyOf(3, "1\n"), copyOf(4, "2\n"), copyOf(5, "3\n")}, "1\n2\n3\n"},
		{[]string{"cat", "data", "data"}, []Copy{copyOf(0, "")}, "of the file\n"},
	} {
		spec := s.spec(row.command...)
		spec.Streams[2] = nil
		if row.command[0] == "./script" {
			spec.Exact = s.exact(spec, "/bin/sh")
		} else {
			spec.Exact = s.exact(spec)
		}
		spec.Exact.Copies = row.copies
		if got, status := s.output(spec); got != row.want || status != 0 {
			t.Errorf("%q: %q, %d", row.command, got, status)
		}
	}
	spec := s.spec("cat", "data")
	spec.Exact = s.exact(spec)
	spec.Exact.Copies = []Copy{copyOf(0, "")}
	if err := os.Remove(s.at("data")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), `"data" names another file`) {
		t.Errorf("%v", err)
	}
}

// A copy stands in the argument where the file that was looked at does, and nothing runs
// where the argument names a file in another way as well, or instead.
func TestExactCopiesOfTheNameMeasured(t *testing.T) {
	s := newStage(t)
	s.write("data", "of the file\n", 0o644)
	spec := s.spec("echo", "-fdata", "--x=data")
	refused := func(arg string) {
		t.Helper()
		_, err := s.Start(t.Context(), spec)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q names another file", arg)) {
			t.Errorf("%v", err)
		}
	}
	for n, arg := range spec.Args {
		spec.Exact = s.exact(spec)
		spec.Exact.Copies = []Copy{{0, nil}, {1, nil}}
		if err := os.Symlink("data", s.at(arg)); err != nil {
			t.Fatal(err)
		}
		t.Chdir(s.dir)
		_, args, err := spec.Exact.copied(spec.Args, spec.Args)
		if err != nil || !strings.HasPrefix(args[0], "-f/proc/") || !strings.HasPrefix(args[1], "--x=/proc/") {
			t.Errorf("%q, %v", args, err)
		}
		refused(arg)
		if err := os.Remove(s.at(arg)); err != nil {
			t.Fatal(err)
		}
		spec.Exact.Files[n].Name = 0 // it was the link that was looked at
		refused(arg)
	}
}
