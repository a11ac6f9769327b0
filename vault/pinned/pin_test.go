package pinned

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// with returns the pin with something changed.
func (p Pin) with(change func(*Pin)) Pin {
	p.Args, p.Files, p.Dirs, p.Weak = slices.Clone(p.Args), slices.Clone(p.Files), slices.Clone(p.Dirs), slices.Clone(p.Weak)
	change(&p)
	return p
}

func TestPinInvalid(t *testing.T) {
	long := strings.Repeat("/d", maxPath)
	for want, change := range map[string]func(*Pin){
		"program is missing: only directories and variables go without":               func(p *Pin) { p.Program = "" },
		"program is missing, and directories too: that would allow everything":        func(p *Pin) { *p = Pin{Env: []string{"X"}} },
		"program_sha256 must be a SHA-256 of 64 lower-case hex digits":                func(p *Pin) { p.ProgramSHA256 = "a" },
		"interpreter_sha256 must be a SHA-256 of 64 lower-case hex digits":            func(p *Pin) { p.InterpreterSHA256 = "a" },
		`args has a pattern with a \ that stands for nothing`:                         func(p *Pin) { p.Args[0] = `a\\\` },
		"args has ** elsewhere than at the end":                                       func(p *Pin) { p.Args = []string{"**", "x"} },
		"args has something that is no text":                                          func(p *Pin) { p.Args[0] = "\xff" },
		"files must be in the order of the arguments, one for each at most":           func(p *Pin) { p.Args = []string{"**"} },
		"files has neither path nor hash":                                             func(p *Pin) { p.Files[0] = File{} },
		"files.sha256 must be a SHA-256 of 64 lower-case hex digits":                  func(p *Pin) { p.Files[0].SHA256 = "a" },
		`dirs has a pattern with a \ that stands for nothing`:                         func(p *Pin) { p.Dirs = []string{`/a\/b`} },
		"dirs must be an absolute path of at most 8192 bytes, without . and ..":       func(p *Pin) { p.Dirs = []string{long + "/e"} },
		"dirs are more than 64":                                                       func(p *Pin) { p.Dirs = slices.Repeat(p.Dirs, 65) },
		"env are more than 256":                                                       func(p *Pin) { p.Env = slices.Repeat([]string{"X"}, 257) },
		"env must be names of variables, or beginnings of names before a *":           func(p *Pin) { p.Env = []string{"A*B"} },
		"weak has what says nothing about this command, or says something twice":      func(p *Pin) { p.Weak = []string{"file:1"} },
		"is longer than 131072 bytes":                                                 func(p *Pin) { p.Args[1] = strings.Repeat("x", MaxPin) },
		"files.path must be an absolute path of at most 4096 bytes, without . and ..": func(p *Pin) { p.Files[0].Path = "x" },
	} {
		if err := Of(deploy()).with(change).Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, p := range []Pin{
		{Dirs: []string{"/"}, Args: []string{"x"}},
		{Dirs: []string{"/"}, Weak: []string{"dir"}},
		{Dirs: []string{"/"}, Sealed: true},
		{Dirs: []string{"/"}, Interpreter: "/bin/sh"},
		{Program: "/bin/true", Weak: []string{"dir", "dir"}},
	} {
		if p.Validate() == nil {
			t.Errorf("%+v is a pin", p)
		}
	}
	for _, name := range []string{"", "A=B", "A B", "A\n", strings.Repeat("A", 129)} {
		if (Pin{Dirs: []string{"/"}, Env: []string{name}}).Validate() == nil {
			t.Errorf("a variable %q", name)
		}
	}
	for _, p := range []Pin{
		{Dirs: []string{"/srv/**"}, Env: []string{"*", "AWS_*", "X"}},
		{Program: "/bin/true"},
		{Program: "/bin/true", Sealed: true},
		Of(deploy()).In("/srv/*/x", long[:maxPattern]).AnyArgs(),
		Of(deploy().with(func(c *Command) { c.Dir, c.Args[1] = `/a\/*/**/b\`, `**` })),
	} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// Of an exact pin every change is a difference, and is said.
func TestOf(t *testing.T) {
	p := Of(deploy().Weaker("dir"))
	if ok, why := p.Allows(deploy().Weaker("dir")); !ok {
		t.Errorf("not allowed: %s", why)
	}
	if ok, why := p.Allows(deploy()); !ok {
		t.Errorf("less weak, and not allowed: %s", why)
	}
	for want, change := range map[string]func(*Command){
		"the program /bin/true is not what was approved":                                func(c *Command) { c.Program = "/bin/true" },
		"the program /srv/app/deploy has changed":                                       func(c *Command) { c.ProgramSHA256 = sumB },
		"the interpreter /bin/sh is not what was approved":                              func(c *Command) { c.Interpreter = "/bin/sh" },
		"the interpreter (none) is not what was approved":                               func(c *Command) { c.Interpreter, c.InterpreterSHA256 = "", "" },
		"the interpreter /usr/bin/python3.11 has changed":                               func(c *Command) { c.InterpreterSHA256 = sumA },
		`the directory "/\x1b" is not what was approved`:                                func(c *Command) { c.Dir = "/\x1b" },
		"argument 2 is not what was approved":                                           func(c *Command) { c.Args[1] = "NOW" },
		"argument 2 is missing":                                                         func(c *Command) { c.Args = c.Args[:1] },
		"argument 3 is one more than was approved":                                      func(c *Command) { c.Args = append(c.Args, "") },
		"argument 1 names no file any more":                                             func(c *Command) { c.Files = nil },
		"argument 1 names another file, /srv/prod.toml":                                 func(c *Command) { c.Files[0].Path = "/srv/prod.toml" },
		"argument 2 names the file /srv/app/now, and did not when it was approved":      func(c *Command) { c.Files = append(c.Files, File{1, "/srv/app/now", sumA}) },
		"prod.toml has changed":                                                         func(c *Command) { c.Files[0].SHA256 = sumB },
		"whoever starts it can change prod.toml, which was not so when it was approved": func(c *Command) { c.Weak = []string{"file:0"} },
		"an interpreter reads what it runs from an argument or from standard input, which was not so when it was approved": func(c *Command) { c.Weak = []string{"inline"} },
	} {
		if ok, why := p.Allows(deploy().with(change)); ok || why != want {
			t.Errorf("got %v %q, want %q", ok, why, want)
		}
	}
}

// A command is the same one once more in another directory and with other content, and by
// another name of its file, but not with another program or argument.
func TestRepeats(t *testing.T) {
	same := map[string]func(*Command){
		"itself":              func(*Command) {},
		"a directory":         func(c *Command) { c.Dir = "/" },
		"a program's content": func(c *Command) { c.ProgramSHA256 = sumB },
		"a file's content":    func(c *Command) { c.Files[0].SHA256 = sumB },
		"a file's path":       func(c *Command) { c.Files[0].Path = "/other" },
		"a file's name":       func(c *Command) { c.Args[0] = "./prod.toml" },
		"an interpreter":      func(c *Command) { c.Interpreter = "/bin/sh" },
		"weaker":              func(c *Command) { c.Weak = []string{"home"} },
	}
	other := map[string]func(*Command){
		"a program":         func(c *Command) { c.Program = "/bin/true" },
		"an argument":       func(c *Command) { c.Args[1] = "later" },
		"an argument less":  func(c *Command) { c.Args = c.Args[:1] },
		"an argument more":  func(c *Command) { c.Args = append(c.Args, "") },
		"another file":      func(c *Command) { c.Args[0], c.Files[0].Path = "./prod.toml", "/other" },
		"a name of no file": func(c *Command) { c.Args[0], c.Files = "./prod.toml", nil },
	}
	for name, change := range same {
		if c := deploy().with(change); !c.Repeats(deploy()) {
			t.Errorf("%s: is another command", name)
		}
	}
	for name, change := range other {
		if c := deploy().with(change); c.Repeats(deploy()) {
			t.Errorf("%s: is the same command", name)
		}
	}
}

// What a pattern would read as something else is itself in an exact pin.
func TestOfPatterns(t *testing.T) {
	for _, text := range []string{"*", "**", `\*`, `\`, `a*`} {
		c := Command{Program: "/bin/echo", ProgramSHA256: sumA, Args: []string{text}, Dir: "/" + text}
		p := Of(c)
		if err := p.Validate(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if ok, why := p.Allows(c); !ok {
			t.Errorf("%q is not allowed: %s", text, why)
		}
		for _, other := range []string{"x", "a", "ab", "", `\\`} {
			if ok, _ := p.Allows(c.with(func(c *Command) { c.Args[0] = other })); ok {
				t.Errorf("%q allows %q", text, other)
			}
		}
		for _, dir := range []string{"/x", "/", "/a/b", "/ab"} {
			if ok, _ := p.Allows(c.with(func(c *Command) { c.Dir = dir })); ok {
				t.Errorf("%q allows the directory %q", text, dir)
			}
		}
	}
}

func TestAnyArgs(t *testing.T) {
	p := Of(deploy()).AnyArgs()
	if want := []string{"--config=prod.toml", "**"}; !reflect.DeepEqual(p.Args, want) {
		t.Fatalf("arguments %q, want %q", p.Args, want)
	}
	for _, args := range [][]string{{}, {"later"}, {"a", "b"}} {
		c := deploy().with(func(c *Command) { c.Args = append(c.Args[:1], args...) })
		if ok, why := p.Allows(c); !ok {
			t.Errorf("%q: %s", args, why)
		}
	}
	// A file there may be any that nobody can change, and one that somebody can where the command read such.
	c := deploy().with(func(c *Command) { c.Files = append(c.Files, File{1, "/now", sumB}) })
	if ok, why := p.Allows(c); !ok {
		t.Error(why)
	}
	if _, why := p.Allows(c.Weaker("file:1")); why != "whoever starts it can change now, which was not so when it was approved" {
		t.Errorf("a file that anybody can change: %q", why)
	}
	for _, token := range []string{"dir", "file:0"} {
		p := Of(deploy().Weaker(token)).AnyArgs()
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
		if ok, why := p.Allows(c.Weaker("file:1")); !ok {
			t.Errorf("where %s is weak: %s", token, why)
		}
		if want := "whoever starts it can change files that other arguments name"; !slices.Contains(p.Weakness(), want) {
			t.Errorf("%q", p.Weakness())
		}
		if again := p.AnyArgs(); !slices.Equal(again.Weak, p.Weak) {
			t.Errorf("twice: %q", again.Weak)
		}
	}
	if ok, why := Of(deploy().Weaker("home")).AnyArgs().Allows(c.Weaker("file:1", "home")); ok {
		t.Errorf("%q, where no file was weak", why)
	}
	if _, why := p.Allows(c.with(func(c *Command) { c.Files[0].SHA256 = sumB })); why != "prod.toml has changed" {
		t.Errorf("the script that is pinned: %q", why)
	}
	all := Of(deploy().with(func(c *Command) { c.Files = nil })).AnyArgs()
	if want := []string{"**"}; !reflect.DeepEqual(all.Args, want) {
		t.Errorf("without files %q", all.Args)
	}
}

func TestWithArgs(t *testing.T) {
	p := Of(deploy().Weaker("file:0", "dir"))
	for _, args := range [][]string{{}, {"**"}, {"*", "now"}, {"--config=*", "**"}} {
		got, want := p.WithArgs(args), []string{"dir", OtherFiles}
		if len(args) == 0 { // nothing there can name a file
			want = want[:1]
		}
		if err := got.Validate(); err != nil || len(got.Files) > 0 || !reflect.DeepEqual(got.Weak, want) {
			t.Errorf("%q: %+v, %v", args, got, err)
		}
	}
	if got := p.WithArgs([]string{"--config=prod.toml", "*"}); !reflect.DeepEqual(got.Files, p.Files) || !reflect.DeepEqual(got.Weak, append(p.Weak, OtherFiles)) {
		t.Errorf("of an argument that stays: %+v", got)
	}
	if len(p.Files) != 1 || len(p.Weak) != 2 {
		t.Errorf("changed what it was made of: %+v", p)
	}
}

func TestIn(t *testing.T) {
	p := Of(deploy()).In("/srv/*", "/work/**")
	elsewhere := func(dir string) Command {
		return deploy().with(func(c *Command) { c.Dir, c.Files[0].Path = dir, dir+"/prod.toml" })
	}
	for _, dir := range []string{"/srv/app", "/srv/other", "/work", "/work/a/b"} {
		if ok, why := p.Allows(elsewhere(dir)); !ok {
			t.Errorf("%s: %s", dir, why)
		}
	}
	for _, dir := range []string{"/srv", "/srv/a/b", "/", "/workshop"} {
		if _, why := p.Allows(elsewhere(dir)); why != "the directory "+dir+" is not what was approved" {
			t.Errorf("%s: %q", dir, why)
		}
	}
	_, why := p.Allows(elsewhere("/work").with(func(c *Command) { c.Files[0].SHA256 = sumB }))
	if why != "prod.toml has changed" {
		t.Errorf("a file that is known by what is in it: %q", why)
	}
}

// A pin that names no hash allows whatever is there, unless whoever starts it can
// change that.
func TestByPath(t *testing.T) {
	p := Pin{Program: "/srv/app/deploy", Args: []string{"--config=*", "*"}, Files: []File{{Arg: 0, Path: "/srv/app/prod.toml"}}}
	c := deploy().with(func(c *Command) { c.ProgramSHA256, c.Files[0].SHA256, c.Dir = sumB, sumB, "/x" })
	if ok, why := p.Allows(c); !ok {
		t.Error(why)
	}
	for _, token := range []string{"program", "interpreter", "file:0", "dir", "home"} {
		if ok, _ := p.Allows(c.Weaker(token)); ok {
			t.Errorf("allowed, and weak: %s", token)
		}
	}
}

// A pin without a program binds to directories, and says nothing else.
func TestDirsOnly(t *testing.T) {
	p := Pin{Dirs: []string{"/srv/app"}}
	if ok, why := p.Allows(deploy().Weaker("program", "inline")); !ok {
		t.Error(why)
	}
	if ok, why := p.Allows(deploy().with(func(c *Command) { c.Dir = "/srv/app/x" })); ok || why != "the directory /srv/app/x is not what was approved" {
		t.Errorf("elsewhere: %v %q", ok, why)
	}
}

// Of several differences that of the closest pin is said.
func TestMatch(t *testing.T) {
	other := Of(deploy().with(func(c *Command) { c.Program = "/bin/true" }))
	later := Of(deploy().with(func(c *Command) { c.Args[1] = "later" }))
	there := Pin{Dirs: []string{"/elsewhere"}}
	for _, pins := range [][]Pin{{other, later, there}, {there, later, other}} {
		if i, why := Match(pins, deploy()); i != -1 || why != "argument 2 is not what was approved" {
			t.Errorf("got %d %q", i, why)
		}
	}
	if i, why := Match([]Pin{other, Of(deploy()), Of(deploy())}, deploy()); i != 1 || why != "" {
		t.Errorf("got %d %q", i, why)
	}
	if i, why := Match(nil, deploy()); i != -1 || why != NothingApproved {
		t.Errorf("of none: %d %q", i, why)
	}
}

func TestEnvironment(t *testing.T) {
	env := Pin{Env: []string{"AWS_*", "X", "CI"}}.Environment()
	if !slices.IsSorted(env) || len(slices.Compact(slices.Clone(env))) != len(env) {
		t.Errorf("%q", env)
	}
	for name, want := range map[string]bool{
		"HOME": true, "LC_ALL": true, "X": true, "AWS_REGION": true, "AWS_": true,
		"XY": false, "LC": false, "NODE_OPTIONS": false, "BASH_ENV": false, "LD_PRELOAD": false, "PYTHONPATH": false, "SHELL": false, "": false,
	} {
		if InEnv(env, name) != want {
			t.Errorf("%s: not %v", name, want)
		}
	}
	for _, name := range []string{"TEXTDOMAINDIR", "NLSPATH", "LOCPATH", "TERMINFO_DIRS", "TZDIR", "MAKEFLAGS", "LESSOPEN", "OPENSSL_CONF", "XDG_DATA_HOME"} {
		if !LoadsCode(name) {
			t.Errorf("%s loads no code", name)
		}
	}
	for _, name := range DefaultEnv {
		if LoadsCode(name) {
			t.Errorf("%s loads code", name)
		}
	}
}

func TestWeakness(t *testing.T) {
	p := Of(deploy().Weaker("dir")).AnyArgs()
	p.Env = []string{"LD_*", "L*", "PYTHONPATH", "HTTP_PROXY", "*"}
	want := []string{
		"whoever starts it can change the directory /srv/app, and programs read code from where they are",
		"whoever starts it can change files that other arguments name",
		"arguments may be others than those that somebody looked at",
		"LD_* can make programs run other code", "L* can make programs run other code", "PYTHONPATH can make programs run other code",
		"* can make programs run other code",
	}
	if got := p.Weakness(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	sealed := Of(deploy().Weaker("program", "interpreter", "file:0", "home"))
	sealed.Sealed = true
	if got := sealed.Weakness(); len(got) != 2 || !strings.Contains(got[0], "interpreter") || !strings.Contains(got[1], "home") {
		t.Errorf("with copies of its script and its files %q", got)
	}
	sealed.Interpreter, sealed.InterpreterSHA256, sealed.Files[0].SHA256 = "", "", ""
	if got := sealed.Weakness(); len(got) != 4 {
		t.Errorf("what is no script, and a file that may be any: %q", got)
	}
	if got := Of(deploy()).Weakness(); len(got) > 0 {
		t.Errorf("of an exact pin %q", got)
	}
	if got := (Pin{Dirs: []string{"/"}}).Weakness(); !reflect.DeepEqual(got, []string{"any program may run there"}) {
		t.Errorf("of directories %q", got)
	}
}

// What a star stands for leads nowhere up.
func TestStarsDoNotClimb(t *testing.T) {
	for _, row := range []struct {
		pattern, arg string
		want         bool
	}{
		{"conf/*", "conf/prod", true},
		{"conf/*", "conf/../../etc/shadow", false},
		{"conf/*", "conf/..", false},
		{"conf/.*", "conf/..", false},
		{"--in=*", "--in=..", false},
		{"*", "-v=a:../b", false},
		{"**", "-f../x", false},
		{"**", "@../x", false},
		{"**", "--data=@../x", false},
		{"-f../*", "-f../x", true},
		{"**", "../x", false},
		{"**", "a..b", true},
		{"../conf/*", "../conf/prod", true},
		{"../conf/*", "../conf/../x", false},
		{"../x", "../x", true},
		{"*", "...", true},
	} {
		c := deploy()
		c.Args, c.Files = []string{row.arg}, nil
		p := Of(c)
		p.Args = []string{row.pattern}
		if ok, why := p.Allows(c); ok != row.want {
			t.Errorf("%q for %q: %v, %s", row.pattern, row.arg, ok, why)
		}
	}
}
