package spawn

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// exact returns what a command means now: a program that is a script is executed by
// its interpreter.
func (s *stage) exact(spec Spec, interpreter ...string) *Exact {
	s.t.Helper()
	path := spec.Program
	if !strings.Contains(path, "/") {
		var err error
		if path, err = exec.LookPath(path); err != nil {
			s.t.Fatal(err)
		}
	}
	e := &Exact{Path: path, Program: s.identify(path)}
	if len(interpreter) > 0 {
		e.Interpreter = &Interpreter{interpreter[0], s.identify(interpreter[0]), interpreter}
	}
	for n, arg := range spec.Args {
		for i, name := range FileNames(arg) {
			if info, err := os.Stat(s.at(name)); err == nil && info.Mode().IsRegular() {
				e.Files = append(e.Files, File{n, i, s.identify(name)})
			}
			if o, ok := OtherAt(n, i, s.at(name)); ok {
				e.Others = append(e.Others, o)
			}
		}
	}
	return e
}

func (s *stage) at(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

func (s *stage) identify(name string) Identity {
	s.t.Helper()
	f, err := os.Open(s.at(name))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	id, ok := Identify(f)
	if !ok {
		s.t.Fatal(name, "is no plain file")
	}
	return id
}

func TestExact(t *testing.T) {
	s := newStage(t)
	s.write("script", "#!/bin/sh -e\n"+`echo "$0 $*"; false; echo never`, 0o755)
	s.write("plain", `echo "$0 $*"`, 0o755)
	s.write("data", "content\n", 0o644)
	spec := s.spec("sh", "-c", `tr '\0' ' ' </proc/$$/cmdline; cat "$1"; ls /proc/$$/fd; exit 3`, "x", "data")
	spec.Exact = s.exact(spec)
	if got, status := s.output(spec); !strings.HasPrefix(got, "sh -c tr") || !strings.HasSuffix(got, " x data content\n0\n1\n2\n") || status != 3 {
		t.Errorf("%q, %d", got, status)
	}
	spec = s.spec("./script", "a", "data", "--x=data")
	spec.Exact = s.exact(spec, "/bin/sh", "-e")
	if got, status := s.output(spec); got != "./script a data --x=data\n" || status != 1 {
		t.Errorf("%q, %d", got, status)
	}
	spec = s.spec("./plain", "a b")
	spec.Exact = s.exact(spec, "/bin/sh")
	spec.Exact.Interpreter.Argv = []string{"sh"}
	if got, status := s.output(spec); got != "./plain a b\n" || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
	spec = s.spec("cat", "{{SECRET}}", "data")
	spec.Files, spec.Exact = []Secret{{"SECRET", opaque.New([]byte("value "))}}, s.exact(spec)
	if got, status := s.output(spec); got != "value content\n" || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
	spec = s.exposed("made", "cat", "{{CONFIG}}", "data")
	spec.Exact = s.exact(spec)
	if got, status := s.output(spec); got != "key = value\ncontent\n" || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
	// An argument that names a file for a template was not looked at.
	spec = s.exposed("made", "cat", "made")
	spec.Exact = s.exact(spec)
	if _, err := s.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), `the argument "made" names a file that was not there`) {
		t.Errorf("%v", err)
	}
	s.gone("made")
	// What is executed is a descriptor, and not what its path leads to.
	spec = s.spec("true")
	spec.Env, spec.Exact = append(spec.Env, "LD_SHOW_AUXV=1"), s.exact(spec)
	if got, _ := s.output(spec); !strings.Contains(got, "/proc/self/fd/") {
		t.Errorf("%q", got)
	}
}

// Each change that a file may undergo between the look at it and the execution ends that.
func TestExactChanged(t *testing.T) {
	s := newStage(t)
	evil := []byte("#!/bin/sh\necho evil\n")
	write := func(name string) func() error {
		return func() error { return os.WriteFile(s.at(name), evil, 0o755) }
	}
	replace := func(name string) func() error {
		return func() error { return errors.Join(write("new")(), os.Rename(s.at("new"), s.at(name))) }
	}
	mkdir := func(name string) func() error { return func() error { return os.Mkdir(s.at(name), 0o755) } }
	pipe := func(name string) func() error { return func() error { return unix.Mkfifo(s.at(name), 0o644) } }
	link := func(to, name string) func() error { return func() error { return os.Symlink(to, s.at(name)) } }
	// The old one stays, so that the new one is another.
	anew := func(name string, make func() error) func() error {
		return func() error { return errors.Join(os.Rename(s.at(name), s.at("old")), make()) }
	}
	for name, row := range map[string]struct {
		args   []string
		change func() error
		want   string
	}{
		"program overwritten":  {nil, write("program"), "program: it was changed"},
		"program replaced":     {nil, replace("program"), "program: it was changed"},
		"program gone":         {nil, func() error { return os.Remove(s.at("program")) }, "program: it was changed"},
		"interpreter replaced": {nil, replace("sh"), "program: it was changed"},
		"interpreter gone":     {nil, func() error { return os.Remove(s.at("sh")) }, "no such file"},
		"file overwritten":     {[]string{"x", "file"}, write("file"), `"file" names another`},
		"file replaced":        {[]string{"--f=file"}, replace("file"), `"--f=file" names another`},
		"file gone":            {[]string{"file"}, func() error { return os.Remove(s.at("file")) }, `"file" names another`},
		"file became a link": {[]string{"file"}, func() error {
			return errors.Join(replace("other")(), os.Remove(s.at("file")), os.Symlink("other", s.at("file")))
		}, `"file" names another`},
		"file of the same age": {[]string{"file"}, func() error {
			info, err := os.Stat(s.at("file"))
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(s.at("file"), []byte("evil"), 0o644), os.Chtimes(s.at("file"), info.ModTime(), info.ModTime()))
		}, `"file" names another`},
		"file appeared":        {[]string{"file", "later"}, write("later"), `"later" names a file that was not there`},
		"file appeared by =":   {[]string{"--file=file", "file"}, write("--file=file"), `"--file=file" names another`},
		"file appeared in -X":  {[]string{"file", "-xlater"}, write("later"), `"-xlater" names a file that was not there`},
		"file appeared by @":   {[]string{"file", "@later"}, write("later"), `"@later" names a file that was not there`},
		"file appeared by =@":  {[]string{"file", "--x=@later"}, write("later"), `"--x=@later" names a file that was not there`},
		"directory appeared":   {[]string{"file", "later"}, mkdir("later"), `"later" names a directory, a pipe or a device`},
		"directory, as it is":  {[]string{"file", "--in=dir"}, mkdir("--in=dir"), `"--in=dir" names a directory, a pipe or a device`},
		"pipe appeared":        {[]string{"file", "--in=later"}, pipe("later"), `"--in=later" names a directory, a pipe or a device`},
		"device appeared":      {[]string{"file", "later"}, link("/dev/zero", "later"), `"later" names a directory, a pipe or a device`},
		"descriptor appeared":  {[]string{"file", "later"}, link("/dev/stdin", "later"), `"later" names a directory, a pipe or a device`},
		"pipe replaced":        {[]string{"file", "pipe"}, anew("pipe", pipe("pipe")), `"pipe" names a directory, a pipe or a device`},
		"pipe became a device": {[]string{"file", "pipe"}, anew("pipe", link("/dev/zero", "pipe")), `"pipe" names a directory, a pipe or a device`},
		"directory is a pipe":  {[]string{"file", "dir"}, anew("dir", pipe("dir")), `"dir" names a directory, a pipe or a device`},
		"directory is a file":  {[]string{"file", "dir"}, anew("dir", write("dir")), `"dir" names a file that was not there`},
		"file became a pipe":   {[]string{"file"}, anew("file", pipe("file")), `"file" names a directory, a pipe or a device`},
		"mode":                 {[]string{"file"}, func() error { return os.Chmod(s.at("file"), 0o755) }, `"file" names another`},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{s.Starter, t, s.dir}
			os.RemoveAll(s.dir)
			s.write("program", "#!./sh\necho good\n", 0o755)
			s.write("file", "good", 0o644)
			sh, err := os.ReadFile("/bin/sh")
			if err != nil {
				t.Fatal(err)
			}
			s.write("sh", string(sh), 0o755)
			if err := errors.Join(mkdir("dir")(), pipe("pipe")()); err != nil {
				t.Fatal(err)
			}
			spec := s.spec(append([]string{s.at("program")}, row.args...)...)
			spec.Exact = s.exact(spec, s.at("sh"))
			if got, status := s.output(spec); got != "good\n" || status != 0 {
				t.Fatalf("%q, %d", got, status)
			}
			spec.Exact = s.exact(spec, s.at("sh"))
			if err := row.change(); err != nil {
				t.Fatal(err)
			}
			_, err = s.Start(t.Context(), spec)
			if e, ok := errors.AsType[*StartError](err); !ok || e.Status != StatusNotExecutable || !strings.Contains(e.Text, row.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A file that nobody may read can be executed, where it may be.
func TestExactUnreadable(t *testing.T) {
	s, _ := newRemoteStage(t, 1)
	sleep, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	s.write("true", string(text), 0o711)
	spec := s.spec(s.at("true"))
	spec.Exact = s.exact(spec)
	if got, status := s.output(spec); got != "" || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
	// It is the other user who looks at what the arguments name.
	s.write("closed/file", "", 0o644)
	spec = s.spec("echo", "closed/file")
	os.Chmod(s.at("closed"), 0o700)
	spec.Exact = s.exact(spec)
	if _, err := s.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "names another") {
		t.Error(err)
	}
	os.Chmod(s.at("closed"), 0o755)
	spec.Exact.Files = nil
	if _, err := s.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "not to be seen") {
		t.Error(err)
	}
}

func TestExactIsOfTheArguments(t *testing.T) {
	for _, e := range []Exact{
		{},
		{Path: "a\x00b"},
		{Dir: "/\x00", Path: "a"},
		{Path: "a", Files: []File{{Arg: 1}}},
		{Path: "a", Files: []File{{Arg: -1}}},
		{Path: "a", Files: []File{{Arg: 0}, {Arg: 0}}},
		{Path: "a", Files: []File{{Name: 1}}},
		{Path: "a", Files: []File{{Name: -1}}},
		{Path: "a", Others: []Other{{Name: 1}}},
		{Path: "a", Interpreter: &Interpreter{Path: "/bin/sh"}},
		{Path: "a", Interpreter: &Interpreter{Argv: []string{"sh"}}},
		{Path: "a", Interpreter: &Interpreter{Path: "/bin/sh", Argv: []string{"s\x00h"}}},
		{Path: "a", Others: []Other{{Arg: 1}}},
		{Path: "a", Copies: []Copy{{Arg: 0}}},
		{Path: "a", Copies: []Copy{{Arg: -1}}},
		{Path: "a", Files: []File{{Arg: 0}}, Copies: []Copy{{Arg: 1}}},
	} {
		if err := (Spec{Program: "a", Args: []string{"b"}, Exact: &e}).Validate(); !errors.Is(err, ErrSpec) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

// What is there already stays what it is, and what is root's to make may appear.
func TestExactOthers(t *testing.T) {
	s := newStage(t)
	s.write("dir/file", "", 0o644)
	if err := unix.Mkfifo(s.at("pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := s.spec("echo", "dir", "--in=pipe", "/dev/null", "/dev/stdin", "/proc/self/fd/0", "gone")
	spec.Exact = s.exact(spec)
	if n := len(spec.Exact.Others); n < 3 {
		t.Fatalf("%d of them", n)
	}
	spec.Exact.Others = spec.Exact.Others[:2] // of this system, and of the daemon's descriptors, nothing is said
	if got, status := s.output(spec); got != "dir --in=pipe /dev/null /dev/stdin /proc/self/fd/0 gone\n" || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
	if err := os.RemoveAll(s.at("dir")); err != nil {
		t.Fatal(err)
	}
	if got, status := s.output(spec); !strings.HasPrefix(got, "dir ") || status != 0 {
		t.Errorf("where a directory is gone: %q, %d", got, status)
	}
}

// A home directory is empty and nobody else's, or nothing is executed.
func TestExactEmptyHome(t *testing.T) {
	s := newStage(t)
	for name, row := range map[string]struct {
		home   string
		change func() error
		want   bool
	}{
		"empty":                {"home", func() error { return nil }, true},
		"with a place":         {"home", func() error { return os.Mkdir(s.at("home/tmp"), 0o700) }, true},
		"none that can be":     {"/nonexistent/home", func() error { return nil }, true},
		"none that others can": {"/tmp/none/such/home", func() error { return nil }, false},
		"with a file":          {"home", func() error { return os.WriteFile(s.at("home/.npmrc"), nil, 0o600) }, false},
		"with a file in it": {"home", func() error {
			return errors.Join(os.Mkdir(s.at("home/tmp"), 0o700), os.WriteFile(s.at("home/tmp/x"), nil, 0o600))
		}, false},
		"with a place and a file": {"home", func() error {
			return errors.Join(os.Mkdir(s.at("home/tmp"), 0o700), os.WriteFile(s.at("home/.npmrc"), nil, 0o600))
		}, false},
		"with something else": {"home", func() error { return os.Mkdir(s.at("home/.local"), 0o700) }, false},
		"open":                {"home", func() error { return os.Chmod(s.at("home"), 0o730) }, false},
		"a link":              {"link", func() error { return os.Symlink("home", s.at("link")) }, false},
		"a file":              {"home", func() error { return errors.Join(os.Remove(s.at("home")), os.WriteFile(s.at("home"), nil, 0o700)) }, false},
		"unnamed":             {"", func() error { return nil }, false},
	} {
		os.RemoveAll(s.at("home"))
		if err := errors.Join(os.Mkdir(s.at("home"), 0o700), row.change()); err != nil {
			t.Fatal(name, err)
		}
		if row.home != "" && row.home[0] != '/' {
			row.home = s.at(row.home)
		}
		spec := s.spec("true")
		spec.Env = append(spec.Env, "HOME="+row.home)
		spec.Exact = s.exact(spec)
		spec.Exact.EmptyHome = true
		r, err := s.Start(t.Context(), spec)
		if row.want != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if r != nil {
			<-r.Done()
		} else if !strings.Contains(err.Error(), "home directory is not its user's alone, or not empty") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A spec of another version is no other error.
func TestSpecVersion(t *testing.T) {
	b, err := (Spec{Program: "true", Umask: -1}).encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []byte{0, specVersion - 1, specVersion + 1} {
		b[4] = version
		if _, _, err := decodeSpec(b[4:]); !errors.Is(err, errVersion) {
			t.Errorf("%d: %v", version, err)
		}
	}
	if _, _, err := decodeSpec(nil); err == nil {
		t.Error("nothing is a spec")
	}
}
