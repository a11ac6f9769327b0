package pinned

import (
	"fmt"
	"slices"
)

// Allows reports whether a pin allows a command, and if not, the first thing that
// differs, such as "deploy.py has changed". It is text to be shown: nothing in it has
// to be escaped any more.
func (p Pin) Allows(c Command) (ok bool, why string) {
	_, why = p.differs(c)
	return why == "", why
}

// NothingApproved is what [Match] says where there are no pins.
const NothingApproved = "nothing has been approved yet"

// Match returns the index of the first pin that allows a command. If none does, it is
// -1, and why is what differs from the pin that comes closest.
func Match(pins []Pin, c Command) (index int, why string) {
	why, furthest := NothingApproved, -1
	for i, p := range pins {
		far, differs := p.differs(c)
		if differs == "" {
			return i, ""
		}
		if far > furthest {
			furthest, why = far, differs
		}
	}
	return -1, why
}

// Repeats reports whether a command is another one once more: the same program, by its path,
// with the same arguments, in whatever directory, and whatever is in its files by now. An
// argument is the same, too, where it names the same file.
func (c Command) Repeats(other Command) bool {
	if c.Program != other.Program || len(c.Args) != len(other.Args) {
		return false
	}
	for i, arg := range c.Args {
		f, named := fileOf(c.Files, i)
		g, _ := fileOf(other.Files, i)
		if arg != other.Args[i] && !(named && f.Path == g.Path) {
			return false
		}
	}
	return true
}

// How far a comparison gets before something differs. Behind atArgs each argument
// that is as it should be counts.
const (
	atProgram = iota
	atContent
	atDir
	atArgs
	atFiles = atArgs + MaxCommand
	atWeak  = atFiles + MaxCommand
)

// differs returns what differs, empty for nothing, and how far it got.
func (p Pin) differs(c Command) (far int, why string) {
	if !p.anywhere() && !slices.ContainsFunc(p.Dirs, func(d string) bool { return matchPath(d, c.Dir) }) {
		return p.dirDiffers(c)
	}
	if p.Program == "" {
		return 0, ""
	}
	for _, compare := range []func(Command) (int, string){p.programDiffers, p.argsDiffer, p.filesDiffer, p.weaker} {
		if far, why := compare(c); why != "" {
			return far, why
		}
	}
	return 0, ""
}

func (p Pin) anywhere() bool { return len(p.Dirs) == 0 }

// dirDiffers says that it is another directory, unless it is another program, too.
func (p Pin) dirDiffers(c Command) (far int, why string) {
	if p.Program != "" {
		if far, why := p.programDiffers(c); why != "" {
			return far, why
		}
	}
	return atDir, fmt.Sprintf("the directory %s is not what was approved", Printable(c.Dir))
}

func (p Pin) programDiffers(c Command) (far int, why string) {
	switch {
	case p.Program != c.Program:
		return atProgram, fmt.Sprintf("the program %s is not what was approved", Printable(c.Program))
	case p.ProgramSHA256 != "" && p.ProgramSHA256 != c.ProgramSHA256:
		return atContent, fmt.Sprintf("the program %s has changed", Printable(c.Program))
	case p.Interpreter != "" && p.Interpreter != c.Interpreter:
		return atContent, fmt.Sprintf("the interpreter %s is not what was approved", cmpNone(c.Interpreter))
	case p.InterpreterSHA256 != "" && p.InterpreterSHA256 != c.InterpreterSHA256:
		return atContent, fmt.Sprintf("the interpreter %s has changed", Printable(c.Interpreter))
	}
	return 0, ""
}

func cmpNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return Printable(text)
}

func (p Pin) argsDiffer(c Command) (far int, why string) {
	fixed := p.fixed()
	for i, arg := range c.Args[:min(len(c.Args), len(fixed))] {
		if !match(fixed[i], arg) || !isLiteral(fixed[i]) && climbs(fixed[i], arg) {
			return atArgs + i, fmt.Sprintf("argument %d is not what was approved", i+1)
		}
	}
	switch {
	case len(c.Args) < len(fixed):
		return atArgs + len(c.Args), fmt.Sprintf("argument %d is missing", len(c.Args)+1)
	case len(c.Args) > len(fixed) && !p.more():
		return atArgs + len(fixed), fmt.Sprintf("argument %d is one more than was approved", len(fixed)+1)
	}
	for i := len(fixed); i < len(c.Args); i++ {
		if climbs("", c.Args[i]) {
			return atArgs + i, fmt.Sprintf("argument %d leads up by .., and was not approved as it is", i+1)
		}
	}
	return 0, ""
}

// filesDiffer compares what the arguments name, of which the patterns fit.
func (p Pin) filesDiffer(c Command) (far int, why string) {
	for i, pattern := range p.fixed() {
		want, found := fileOf(p.Files, i)
		is, named := fileOf(c.Files, i)
		switch {
		case !found && (!named || !isLiteral(pattern)):
			continue
		case !found:
			why = fmt.Sprintf("argument %d names the file %s, and did not when it was approved", i+1, Printable(is.Path))
		case !named:
			why = fmt.Sprintf("argument %d names no file any more", i+1)
		case want.Path != "" && want.Path != is.Path:
			why = fmt.Sprintf("argument %d names another file, %s", i+1, Printable(is.Path))
		case want.SHA256 != "" && want.SHA256 != is.SHA256:
			why = is.name() + " has changed"
		default:
			continue
		}
		return atFiles + i, why
	}
	return 0, ""
}

func fileOf(files []File, arg int) (File, bool) {
	i := slices.IndexFunc(files, func(f File) bool { return f.Arg == arg })
	if i < 0 {
		return File{}, false
	}
	return files[i], true
}

// weaker compares what could be changed.
func (p Pin) weaker(c Command) (far int, why string) {
	for _, token := range c.Weak {
		if f, isFile := c.fileOfToken(token); isFile {
			if _, pinned := fileOf(p.Files, f.Arg); !pinned && slices.Contains(p.Weak, OtherFiles) {
				continue
			}
		}
		if !slices.Contains(p.Weak, token) {
			return atWeak, c.Explain(token) + ", which was not so when it was approved"
		}
	}
	return 0, ""
}

func (c Command) fileOfToken(token string) (File, bool) {
	i := slices.IndexFunc(c.Files, func(f File) bool { return f.token() == token })
	if i < 0 {
		return File{}, false
	}
	return c.Files[i], true
}
