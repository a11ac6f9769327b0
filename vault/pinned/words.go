package pinned

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// WhyDenied is why a command is refused that somebody denied.
const WhyDenied = "it was denied by an administrator"

// Line returns program and arguments as they can be shown in one line, each quoted
// where a reader could not tell where it ends.
func (c Command) Line() string { return line(c.Program, c.Args) }

func line(program string, args []string) string {
	var b strings.Builder
	b.WriteString(Word(program))
	for _, a := range args {
		b.WriteString(" " + Word(a))
	}
	return b.String()
}

// Explain says in words what a token of Weak means for the command.
func (c Command) Explain(token string) string {
	const starter = "whoever starts it can change "
	switch token {
	case "program":
		return starter + "the program " + Printable(c.Program)
	case "interpreter":
		return starter + "the interpreter " + Printable(c.Interpreter)
	case "dir":
		return starter + "the directory " + Printable(c.Dir) + ", and programs read code from where they are"
	case "home":
		return starter + "the home directory, from which programs read code"
	case OtherFiles:
		return starter + "files that other arguments name"
	case "inline":
		return "an interpreter reads what it runs from an argument or from standard input"
	}
	if f, found := c.fileOfToken(token); found {
		return starter + f.name()
	}
	return Printable(token)
}

// name returns what a file is called.
func (f File) name() string {
	if f.Path == "" {
		return fmt.Sprintf("the file that argument %d names", f.Arg+1)
	}
	return Printable(path.Base(f.Path))
}

// seals reports whether what a token is about is in a copy that nobody can change, of which
// the pin has the hash.
func (p Pin) seals(token string) bool {
	i := slices.IndexFunc(p.Files, func(f File) bool { return f.token() == token && f.SHA256 != "" })
	return p.Sealed && (i >= 0 || token == "program" && p.Interpreter != "" && p.ProgramSHA256 != "")
}

// Weakness says in words why a pin may allow what nobody looked at; empty for a pin
// that does not. The words are about commands that fit it.
func (p Pin) Weakness() []string {
	if p.Program == "" {
		return []string{"any program may run there"}
	}
	said := []string{}
	c := Command{Program: p.Program, Interpreter: p.Interpreter, Dir: strings.Join(p.Dirs, " or "), Files: p.Files}
	for _, token := range p.Weak {
		if p.seals(token) {
			continue
		}
		said = append(said, c.Explain(token))
	}
	if p.anyText() {
		said = append(said, "arguments may be others than those that somebody looked at")
	}
	for _, name := range p.Env {
		if LoadsCode(name) {
			said = append(said, fmt.Sprintf("%s can make programs run other code", Printable(name)))
		}
	}
	return said
}
