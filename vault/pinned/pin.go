package pinned

import (
	"cmp"
	"slices"
	"strings"
)

// A Pin says which commands are allowed. What is empty allows anything there, but
// for Args.
type Pin struct {
	// Program is the path of the program. Without one any program is allowed, and
	// only Dirs and Env may say something.
	Program, ProgramSHA256 string
	// Interpreter is that of a Program that begins with #!.
	Interpreter, InterpreterSHA256 string
	// Args are patterns, one for each argument: * stands for any text, and a
	// character behind \ for itself. A last ** stands for any more arguments.
	Args []string
	// Files are what arguments name. Where an argument is given in full, and the
	// pin says nothing here, it names no file.
	Files []File
	// Dirs are patterns of directories: * stands for any text within a name, and a
	// name ** for any number of names, also none.
	Dirs []string
	// Env are the variables that the command may have beside [DefaultEnv]: names,
	// or beginnings of names before a *.
	Env []string
	// Weak are the tokens that a command may have in [Command].Weak, and [OtherFiles] where
	// it may have any for files of which the pin says nothing.
	Weak []string
	// Sealed has the daemon hand a copy of what it looked at to the program, in place of
	// each file that an argument names, and to its interpreter in place of a script. The
	// copy is in memory, and nobody can change it. It has another name.
	Sealed bool
}

// OtherFiles in [Pin].Weak allows files that whoever starts a command can change, where the
// pin does not say which file it is.
const OtherFiles = "files"

// Bounds of what a pin lists. A hundred directories are a pattern.
const (
	maxDirs    = 64
	maxPattern = 2 * maxPath // every character escaped
	maxEnv     = 256
	maxName    = 128
)

// anyMore is the pattern for any more arguments.
const anyMore = "**"

// Of returns the pin that allows a command and no other.
func Of(c Command) Pin {
	return Pin{
		Program: c.Program, ProgramSHA256: c.ProgramSHA256, Interpreter: c.Interpreter, InterpreterSHA256: c.InterpreterSHA256,
		Args: quoted(c.Args), Files: slices.Clone(c.Files), Dirs: []string{Quote(c.Dir)}, Weak: slices.Clone(c.Weak),
	}
}

// Quote returns the pattern that matches a text and no other.
func Quote(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(text)
}

func quoted(texts []string) []string {
	var all []string
	for _, t := range texts {
		all = append(all, Quote(t))
	}
	return all
}

// AnyArgs returns a pin that allows any arguments behind the last one that names a
// file, so that a script that is pinned stays so.
func (p Pin) AnyArgs() Pin {
	n := 0
	if len(p.Files) > 0 {
		n = p.Files[len(p.Files)-1].Arg + 1
	}
	return p.WithArgs(append(slices.Clone(p.Args[:n]), anyMore))
}

// WithArgs returns a pin with other patterns for its arguments. What an argument
// names that may be another one now is not looked at any more; it may be one that whoever
// starts the command can change if that is so of something that the command reads.
func (p Pin) WithArgs(patterns []string) Pin {
	p.Args = patterns
	fixed := p.fixed()
	var dropped []string
	p.Files = slices.DeleteFunc(slices.Clone(p.Files), func(f File) bool {
		drop := f.Arg >= len(fixed) || !isLiteral(fixed[f.Arg])
		if drop {
			dropped = append(dropped, f.token())
		}
		return drop
	})
	open := slices.ContainsFunc(p.Weak, func(token string) bool { return token == "dir" || strings.HasPrefix(token, "file:") })
	p.Weak = slices.DeleteFunc(slices.Clone(p.Weak), func(token string) bool { return slices.Contains(dropped, token) || token == OtherFiles })
	if open && p.anyText() {
		p.Weak = append(p.Weak, OtherFiles)
	}
	return p
}

// anyText reports whether an argument may be any text.
func (p Pin) anyText() bool {
	return slices.ContainsFunc(p.Args, func(a string) bool { return !isLiteral(a) })
}

// In returns a pin that allows other directories. Files are then known by what is
// in them, wherever they are.
func (p Pin) In(dirs ...string) Pin {
	p.Dirs, p.Files = dirs, slices.Clone(p.Files)
	for i := range p.Files {
		if p.Files[i].SHA256 != "" {
			p.Files[i].Path = ""
		}
	}
	return p
}

// Validate returns an *[Error] for what cannot be a pin, such as one that allows
// everything.
func (p Pin) Validate() error {
	err := cmp.Or(p.checkProgram(), p.checkArgs(), checkFiles(p.Files, len(p.fixed()), true), checkDirs(p.Dirs), checkEnv(p.Env), p.checkWeak())
	if err == nil && len(p.Encode()) > MaxPin {
		err = wrong("", "is longer than %d bytes", MaxPin)
	}
	return err
}

func (p Pin) checkProgram() error {
	if p.Program == "" {
		switch {
		case p.ProgramSHA256+p.Interpreter+p.InterpreterSHA256 != "" || len(p.Args)+len(p.Files)+len(p.Weak) > 0 || p.Sealed:
			return wrong("program", "is missing: only directories and variables go without")
		case len(p.Dirs) == 0:
			return wrong("program", "is missing, and directories too: that would allow everything")
		}
		return nil
	}
	return cmp.Or(
		checkPath("program", p.Program), checkSumIf("program_sha256", p.ProgramSHA256),
		checkPathIf("interpreter", p.Interpreter), checkSumIf("interpreter_sha256", p.InterpreterSHA256))
}

func checkPathIf(member, p string) error {
	if p == "" {
		return nil
	}
	return checkPath(member, p)
}

func checkSumIf(member, sum string) error {
	if sum == "" {
		return nil
	}
	return checkSum(member, sum)
}

func (p Pin) checkArgs() error {
	for _, a := range p.Args {
		if !goodPattern(a) {
			return wrong("args", `has a pattern with a \ that stands for nothing`)
		}
	}
	if slices.Contains(p.fixed(), anyMore) {
		return wrong("args", "has ** elsewhere than at the end")
	}
	return checkTexts("args", p.Args)
}

// fixed returns the patterns that stand for one argument each.
func (p Pin) fixed() []string {
	if n := len(p.Args); p.more() {
		return p.Args[:n-1]
	}
	return p.Args
}

// more reports whether any more arguments are allowed.
func (p Pin) more() bool { return len(p.Args) > 0 && p.Args[len(p.Args)-1] == anyMore }

func checkDirs(dirs []string) error {
	if len(dirs) > maxDirs {
		return wrong("dirs", "are more than %d", maxDirs)
	}
	for _, d := range dirs {
		if slices.ContainsFunc(parts[string](d), func(name string) bool { return !goodPattern(name) }) {
			return wrong("dirs", `has a pattern with a \ that stands for nothing`)
		}
		if err := checkAbsolute("dirs", d, maxPattern); err != nil {
			return err
		}
	}
	return nil
}

func checkEnv(names []string) error {
	if len(names) > maxEnv {
		return wrong("env", "are more than %d", maxEnv)
	}
	for _, n := range names {
		if stem := strings.TrimSuffix(n, "*"); n == "" || len(n) > maxName || strings.ContainsAny(stem, "*=") || Printable(n) != n || strings.Contains(n, " ") {
			return wrong("env", "must be names of variables, or beginnings of names before a *")
		}
	}
	return nil
}

// checkWeak accepts what a command may say that the pin is for.
func (p Pin) checkWeak() error {
	c := Command{Interpreter: "any", Files: p.Files}
	for i, token := range p.Weak {
		if c.rank(token) < 0 && !(token == OtherFiles && p.anyText()) || slices.Contains(p.Weak[:i], token) {
			return wrong("weak", "has what says nothing about this command, or says something twice")
		}
	}
	return nil
}
