package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// A bench is a directory in which commands are looked at, for somebody who may change
// nothing there that is not open to everybody.
type bench struct {
	t   *testing.T
	d   Daemon
	dir string
	env []string
}

// nobody is who starts commands: neither root nor whoever runs the tests.
const nobody = 54321

func newBench(t *testing.T) *bench {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: dir, env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/"}}
	b.mode("", 0o755)
	return b
}

func (b *bench) at(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, content string, mode os.FileMode) {
	b.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(b.at(name)), 0o755), os.WriteFile(b.at(name), []byte(content), mode)); err != nil {
		b.t.Fatal(err)
	}
	b.mode(name, mode)
}

func (b *bench) mode(name string, mode os.FileMode) {
	b.t.Helper()
	if err := syscall.Chmod(b.at(name), uint32(mode)); err != nil { // os.Chmod has another sticky bit
		b.t.Fatal(err)
	}
}

func (b *bench) link(target, name string) {
	b.t.Helper()
	if err := os.Symlink(target, b.at(name)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) spec(command ...string) spawn.Spec {
	b.t.Helper()
	dir, err := os.Open(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { dir.Close() })
	return spawn.Spec{Program: command[0], Args: command[1:], Env: b.env, Dir: dir, Umask: -1}
}

func (b *bench) measure(command ...string) pinned.Command {
	b.t.Helper()
	m, err := b.d.measure(b.spec(command...), rights{uids: []int{nobody}, gids: []int{nobody}})
	if err != nil {
		b.t.Fatalf("%q: %v", command, err)
	}
	return m.command
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum(string(text))
}

func TestMeasure(t *testing.T) {
	b := newBench(t)
	script := "#!/usr/bin/env -S sh -e\nexit 0\n"
	b.write("bin/deploy", script, 0o755)
	b.write("data", "data", 0o644)
	b.write("sub/more", "more", 0o644)
	b.link("sub", "linked")
	b.link("bin/deploy", "ship")
	sh, err := filepath.EvalSymlinks("/usr/bin")
	if err != nil {
		t.Fatal(err)
	}
	sh += "/sh"
	for _, row := range []struct {
		command []string
		want    pinned.Command
	}{
		{[]string{"sh", "data", "-x", "--more=linked/more", "sub", "nowhere", ""}, pinned.Command{
			Program: sh, ProgramSHA256: sumOf(t, sh), Args: []string{"data", "-x", "--more=linked/more", "sub", "nowhere", ""},
			Files: []pinned.File{{Arg: 0, Path: b.at("data"), SHA256: sum("data")}, {Arg: 2, Path: b.at("sub/more"), SHA256: sum("more")}},
		}},
		{[]string{"bin/deploy", "linked/../data"}, pinned.Command{
			Program: b.at("bin/deploy"), ProgramSHA256: sum(script), Interpreter: sh, InterpreterSHA256: sumOf(t, sh),
			Args: []string{"linked/../data"}, Files: []pinned.File{{Path: b.at("data"), SHA256: sum("data")}},
		}},
		// The last name stays: a program may do what it is called.
		{[]string{"./ship"}, pinned.Command{Program: b.at("ship"), ProgramSHA256: sum(script), Interpreter: sh, InterpreterSHA256: sumOf(t, sh), Args: []string{}}},
	} {
		row.want.Dir = b.dir
		if got := b.measure(row.command...); string(got.Encode()) != string(row.want.Encode()) {
			t.Errorf("%q is\n%s, not\n%s", row.command, got.Encode(), row.want.Encode())
		}
	}
}

// Another program of the name is another program, whatever comes first in PATH.
func TestMeasureLooksInPath(t *testing.T) {
	b := newBench(t)
	b.write("own/sh", "#!/bin/sh\n", 0o755)
	b.write("none/sh", "", 0o644)
	b.write("sh", "#!/bin/sh\n", 0o755)
	b.write("deploy", "#!/usr/bin/env sh\n", 0o755)
	for path, want := range map[string]string{
		"none:own:/usr/bin":      b.at("own/sh"),
		b.at("own") + ":/bin":    b.at("own/sh"),
		"/nonexistent:/usr/bin:": "/usr/bin/sh",
		":/usr/bin":              b.at("sh"),
	} {
		b.env = []string{"PATH=" + path}
		if got := b.measure("sh"); got.Program != want {
			t.Errorf("%s leads to %s, not to %s", path, got.Program, want)
		}
	}
	b.env = []string{"PATH=" + b.at("own")}
	if _, err := b.d.measure(b.spec("./deploy"), rights{}); !errors.Is(err, errMeasure) || !strings.Contains(err.Error(), "own/sh is a script itself") {
		t.Error(err)
	}
	b.env = []string{"PATH=own:/usr/bin:/bin"}
	os.Remove(b.at("own/sh"))
	b.link("/usr/bin/sh", "own/sh")
	if got := b.measure("./deploy"); got.Interpreter != b.at("own/sh") {
		t.Errorf("the interpreter is %s", got.Interpreter)
	}
}

// What somebody else could change is weak, and nothing else.
func TestMeasureWeak(t *testing.T) {
	for name, row := range map[string]struct {
		change  func(*bench)
		command string
		want    string
	}{
		"nothing":                     {func(*bench) {}, "sh data", ""},
		"a file":                      {func(b *bench) { b.mode("data", 0o646) }, "sh -x data", "file:1"},
		"a file's group is another":   {func(b *bench) { b.mode("data", 0o664) }, "sh data", ""},
		"a directory":                 {func(b *bench) { b.mode("", 0o777) }, "sh data", "file:0 dir"},
		"a directory above":           {func(b *bench) { b.mode("bin", 0o777) }, "bin/prog sub/file", "program"},
		"a sticky directory":          {func(b *bench) { b.mode("bin", 0o1777) }, "bin/prog sub/file", ""},
		"the program":                 {func(b *bench) { b.mode("bin/prog", 0o757) }, "bin/prog sub/file", "program"},
		"the interpreter":             {func(b *bench) { b.mode("bin/sh", 0o757) }, "bin/script", "interpreter"},
		"a directory of a link":       {func(b *bench) { b.mode("links", 0o777) }, "sh links/data", "file:0"},
		"where a link leads":          {func(b *bench) { b.mode("sub", 0o777) }, "sh links/file", "file:0"},
		"home":                        {func(b *bench) { b.mode("sub", 0o777); b.env = append(b.env, "HOME="+b.at("sub")) }, "sh data", "home"},
		"a home to be made":           {func(b *bench) { b.mode("sub", 0o777); b.env = append(b.env, "HOME="+b.at("sub/none")) }, "sh data", "home"},
		"a home in a line of a shell": {func(b *bench) { b.env = append(b.env, "HOME=/opt/x;evil") }, "sh data", "home"},
		"no home":                     {func(b *bench) { b.env = b.env[:1] }, "sh data", "home"},
		"a command":                   {func(*bench) {}, "sh -ec data data", "inline"},
		"standard input":              {func(*bench) {}, "sh", "inline"},
		"an interpreter renamed":      {func(b *bench) { b.link("/bin/sh", "bin/python3.11") }, "bin/python3.11 -m data", "inline"},
		"a directory named":           {func(b *bench) { b.mode("sub", 0o777) }, "ls --in=sub", "dir"},
		"a closed directory named":    {func(*bench) {}, "ls sub /dev/null", ""},
		"standard input by name":      {func(*bench) {}, "ls /dev/stdin", "inline"},
		"a descriptor by name":        {func(*bench) {}, "ls --in=/proc/self/fd/99", "inline"},
		"a device":                    {func(*bench) {}, "ls /dev/zero", "inline"},
		"a pipe": {func(b *bench) {
			if err := unix.Mkfifo(b.at("pipe"), 0o644); err != nil {
				b.t.Fatal(err)
			}
		}, "ls pipe", "inline"},
		"a file behind an option":     {func(b *bench) { b.mode("data", 0o646) }, "ls -fdata", "file:0"},
		"a file of arguments":         {func(b *bench) { b.mode("data", 0o646) }, "ls @data", "file:0"},
		"a file of an option":         {func(b *bench) { b.mode("data", 0o646) }, "ls --in=@data", "file:0"},
		"an open directory later":     {func(b *bench) { b.mode("sub", 0o777) }, "ls sub/later", "dir"},
		"a closed directory later":    {func(*bench) {}, "ls sub/later none/such later", ""},
		"an interpreter in env":       {func(*bench) {}, "env A=1 sh -c data", "inline"},
		"a file that is no script":    {func(*bench) {}, "python3 -Xdata -c x", "inline"},
		"a file of an option before":  {func(*bench) {}, "bash --rcfile data -c x", "inline"},
		"a script behind an option":   {func(*bench) {}, "bash -u data x", ""},
		"a script and its options":    {func(*bench) {}, "bash data -c x", ""},
		"a text first":                {func(*bench) {}, "sed p data", "inline"},
		"a text in a file":            {func(*bench) {}, "sed -f data data", ""},
		"one with a file":             {func(*bench) {}, "timeout 5 sh data", ""},
		"one in another":              {func(*bench) {}, "env timeout 5 python3 -m data", "inline"},
		"one by its path":             {func(*bench) {}, "nice /usr/bin/env -i sh", "inline"},
		"one in a text":               {func(*bench) {}, "env -Ssh -c", "inline"},
		"what is fed":                 {func(*bench) {}, "xargs -a data ls", "inline"},
		"no interpreter in a wrapper": {func(*bench) {}, "env A=1 nice ls -c data", ""},
		"no interpreter":              {func(*bench) {}, "ls -c", ""},
		"env":                         {func(b *bench) { b.write("bin/script", "#!/usr/bin/env -i sh\n", 0o755) }, "bin/script", "interpreter"},
		"all": {func(b *bench) {
			b.mode("", 0o777)
			b.env = append(b.env, "HOME="+b.dir)
		}, "bin/script data sub/file", "program interpreter file:0 file:1 dir home"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write("data", "data", 0o644)
			b.write("sub/file", "file", 0o644)
			b.write("bin/prog", "\x7fELF", 0o755)
			b.write("bin/sh", "\x7fELF", 0o755)
			b.write("bin/script", "#!"+b.at("bin/sh")+"\n", 0o755)
			b.write("links/x", "", 0o644)
			b.link("../data", "links/data")
			b.link("../sub/file", "links/file")
			row.change(b)
			if got := strings.Join(b.measure(strings.Fields(row.command)...).Weak, " "); got != row.want {
				t.Errorf("%q, not %q", got, row.want)
			}
		})
	}
}

func TestRights(t *testing.T) {
	const sticky = unix.S_ISVTX
	file := func(uid, gid, mode uint32) unix.Stat_t { return unix.Stat_t{Uid: uid, Gid: gid, Mode: mode} }
	alice := rights{uids: []int{1000}, gids: []int{1000, 50}}
	stranger := rights{uids: []int{1000}, strangers: true}
	for _, row := range []struct {
		r         rights
		dir, file unix.Stat_t
		want      bool
	}{
		{alice, file(0, 0, 0o755), file(0, 0, 0o644), false},
		{alice, file(1000, 0, 0o555), file(0, 0, 0o644), true}, // whoever owns it can change the mode
		{alice, file(0, 50, 0o775), file(0, 0, 0o644), true},
		{alice, file(0, 51, 0o775), file(0, 0, 0o644), false},
		{alice, file(0, 0, 0o777), file(0, 0, 0o644), true},
		{alice, file(0, 0, sticky|0o777), file(0, 0, 0o644), false},
		{alice, file(0, 0, sticky|0o777), file(1000, 0, 0o644), true},
		{alice, file(1000, 0, sticky|0o777), file(0, 0, 0o644), true},
		{alice, file(2000, 0, 0o700), file(2000, 0, 0o644), false},
		{stranger, file(2000, 0, 0o700), file(2000, 0, 0o644), true},
		{stranger, file(0, 51, 0o775), file(0, 0, 0o644), true},
		{stranger, file(0, 0, 0o775), file(0, 0, 0o644), false},
		{rights{uids: []int{0}}, file(2000, 0, 0o500), file(0, 0, 0o444), true},
	} {
		if got := row.r.replace(row.dir, row.file, "/nonexistent"); got != row.want {
			t.Errorf("%+v, in a directory of %d:%d %o the file of %d: %v", row.r, row.dir.Uid, row.dir.Gid, row.dir.Mode, row.file.Uid, got)
		}
	}
}

// The rights of a client are those of its process.
func TestRightsOf(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p, err := peer.Of(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var d Daemon
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	r := d.rightsOf(p)
	if !slices.Equal(r.uids, []int{os.Getuid()}) || r.strangers {
		t.Errorf("%+v", r)
	}
	for _, gid := range append(groups, os.Getgid()) {
		if !slices.Contains(r.gids, gid) {
			t.Errorf("%v lack %d", r.gids, gid)
		}
	}
	d.cfg.Spawners = []string{"/run/cortex-spawner/1.sock"}
	if !d.rightsOf(p).strangers {
		t.Error("nobody else has rights where commands are another user")
	}
}

// A list of users may say more than a mode.
func TestRightsByList(t *testing.T) {
	b := newBench(t)
	b.write("data", "data", 0o644)
	// user::rw-, user:54321:rw-, group::r--, mask::rw-, other::r--
	list := "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x06\x00\x31\xd4\x00\x00" +
		"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x06\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
	if err := unix.Setxattr(b.at("data"), "system.posix_acl_access", []byte(list), 0); errors.Is(err, unix.EOPNOTSUPP) {
		need.Unmet(t, "no such lists here")
	} else if err != nil {
		t.Fatal(err)
	}
	if got := b.measure("sh", "data").Weak; !slices.Equal(got, []string{"file:0"}) {
		t.Errorf("%q", got)
	}
}

func TestMeasureFails(t *testing.T) {
	b := newBench(t)
	b.write("--x=data", "", 0o644)
	b.write("data", "", 0o644)
	b.write("script", "#!/nonexistent/sh\n", 0o755)
	b.write("long", "#!/bin/sh "+strings.Repeat("x", 300)+"\n", 0o755)
	if err := os.Truncate(b.at("data"), maxHashed+1); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		command []string
		want    string
		status  int
	}{
		{[]string{"no-such-program"}, "no-such-program: command not found", 127},
		{[]string{"./no-such-program"}, "no such file or directory", 127},
		{[]string{"/"}, "is a directory", 126},
		{[]string{"./data"}, "permission denied", 126},
		{[]string{"./script"}, "its interpreter is missing", 127},
		{[]string{"./long"}, "longer than the kernel reads", 0},
		{[]string{"cat", "--x=data"}, "names two files", 0},
		{[]string{"cat", "data"}, "too large", 0},
		{[]string{"cat", "\xff"}, "not UTF-8", 0},
		{[]string{"cat", strings.Repeat("x", pinned.MaxCommand)}, "longer than", 0},
	} {
		_, err := b.d.measure(b.spec(row.command...), rights{})
		e, started := errors.AsType[*spawn.StartError](err)
		if err == nil || !strings.Contains(err.Error(), row.want) || started != (row.status != 0) || started && e.Status != row.status || !started && !errors.Is(err, errMeasure) {
			t.Errorf("%.40q: %v", row.command, err)
		}
	}
	b.link("loop", "loop")
	if _, _, err := (rights{}).follow(b.at("loop/x")); !errors.Is(err, unix.ELOOP) {
		t.Error(err)
	}
	spec := b.spec("sh")
	os.RemoveAll(b.dir)
	if _, err := b.d.measure(spec, rights{}); err == nil || !strings.Contains(err.Error(), "does not see its directory") {
		t.Error(err)
	}
}

// A command that was looked at runs as it would without.
func TestMeasuredRunsTheSame(t *testing.T) {
	b := newBench(t)
	for name, text := range map[string]string{
		"plain": "echo \"$0 $*\"\n", "dash": "#!/bin/echo", "one": "#! /bin/echo one\n", "two": "#!/bin/echo \t one  two \t \nx", "crlf": "#!/bin/echo one\r\n",
		"env": "#!/usr/bin/env echo\n", "env2": "#!/usr/bin/env -S echo one two\n", "env3": "#!/usr/bin/env -S A=b printenv A\n", "env4": "#!/usr/bin/env echo one\n",
		"empty": "", "blank": "#!  \necho blank\n", "relative": "#!bin/echo own\n", "nul": "#!/bin/echo a\x00b\n",
	} {
		b.write("bin/"+name, text, 0o755)
	}
	b.link("/bin/echo", "bin/echo2")
	os.Link("/bin/echo", b.at("bin/echo"))
	b.write("data", "data\n", 0o644)
	b.env = append(b.env, "PATH=bin:/usr/bin:/bin")
	starter := spawn.NewStarter(false)
	defer starter.Close()
	commands := []string{"sh -c pwd", "cat data", "ls -1 bin", "env -i echo x", "sh ./bin/plain data", "readlink /proc/self/exe", "bin/echo2 x"}
	for _, name := range []string{"plain", "dash", "one", "two", "crlf", "env", "env2", "env3", "env4", "empty", "blank", "relative", "nul"} {
		commands = append(commands, name+" a data", "./bin/"+name+" b", b.at("bin/"+name))
	}
	for _, command := range commands {
		spec := b.spec(strings.Fields(command)...)
		want := play(t, starter, spec)
		m, err := b.d.measure(spec, rights{})
		if err != nil {
			t.Errorf("%s: %v", command, err)
			continue
		}
		spec.Exact = m.exact
		if got := play(t, starter, spec); got != want {
			t.Errorf("%s: %q, not %q", command, got, want)
		}
	}
}

// play returns what a program prints, or why it does not run.
func play(t *testing.T, s *spawn.Starter, spec spawn.Spec) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	spec.Streams[1], spec.Streams[2] = w, w
	run, err := s.Start(t.Context(), spec)
	w.Close()
	if err != nil {
		return err.Error()
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	<-run.Done()
	exit, err := run.Exit()
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + " " + string(rune('0'+exit.Status()%10))
}

func FuzzScriptLine(f *testing.F) {
	for _, s := range []string{"", "#!", "#!/bin/sh\n", "#! /usr/bin/env  python3 -u \nx", "\x7fELF", "#!/bin/sh -e\x00x\n", "#!" + strings.Repeat("x", 254), "#!/usr/bin/env -S a \"b\"\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		head = head[:min(len(head), maxScriptLine)]
		line, err := parseScriptLine(head)
		if err != nil || line == nil {
			return
		}
		if line.path == "" || strings.ContainsAny(line.path, " \t\n\x00") || strings.ContainsAny(line.arg, "\n\x00") || line.arg != strings.Trim(line.arg, " \t") {
			t.Errorf("%q is %+v", head, line)
		}
		if again, err := parseScriptLine([]byte("#!" + line.path + " " + line.arg)); err == nil && *again != *line {
			t.Errorf("%q is %+v, then %+v", head, line, again)
		}
		for _, word := range line.throughEnv() {
			if word == "" || strings.ContainsAny(word, " \t\n") {
				t.Errorf("%q is %q", head, line.throughEnv())
			}
		}
	})
}
