// Package pinned knows what a command is that a project's secrets are for, and
// which commands somebody approved.
//
// A daemon measures a [Command] before it starts it: the program, by its path
// and the hash of what is in it, the arguments, the files among them with their
// hashes, and the directory. A [Pin] is what a person said about commands: this
// one and no other ([Of]), or any that fit its patterns ([Pin.Allows]).
//
// Not everything that a program runs can be measured: it reads more code from
// where its files are, or from its standard input. A daemon says of a command
// what whoever started it could change ([Command].Weak), and a pin allows no
// command that is weaker than those it was made for.
//
// Whoever starts a command chose most of what stands in one: it is text to be
// escaped ([Printable]). The package does no I/O.
package pinned

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// The longest texts that are read, in bytes. A pin is longer than its command
// because it escapes more.
const (
	MaxCommand = 32 << 10
	MaxPin     = 128 << 10
	maxPath    = 4096
)

// A Command is what is to be run, as it was measured. Texts are UTF-8 without
// NUL and without U+FFFD, which stands for what is no text: a command with other
// arguments cannot be pinned.
type Command struct {
	// Program is the path of the program, with no symbolic link in it but perhaps
	// the last name, by which programs know what they are to do; and ProgramSHA256 the
	// hash of what is in it, in lower-case hex.
	Program, ProgramSHA256 string
	// Interpreter runs a Program that is a script, and is such a path, too; empty for
	// any other.
	Interpreter, InterpreterSHA256 string
	// Args are the arguments, without the program's name.
	Args []string
	// Files are what arguments name, in the order of the arguments.
	Files []File
	// Dir is the directory in which it is to run.
	Dir string
	// Weak says what of it whoever starts it could change, in the order of
	// [Command.Weaker]: "program", "interpreter", "file:N" for that of argument N,
	// "dir", "home" for the directory that HOME names, and "inline" for an
	// interpreter that gets its program in an argument or from standard input, or a
	// program that starts one.
	Weak []string
}

// A File is a plain file that an argument names, as a whole, behind a '=' or the letter of
// an option, or behind an '@'.
type File struct {
	// Arg is the index of the argument in Args.
	Arg int
	// Path has no symbolic link in it. SHA256 is the hash of what is in it.
	Path, SHA256 string
}

// An Error says what is wrong with a command or a pin. It quotes nothing of it.
type Error struct {
	// Member is the path of the member, such as "files"; empty if it is the
	// text as a whole.
	Member string
	// Reason says what is wrong, such as "is missing".
	Reason string
}

func (e *Error) Error() string { return strings.TrimPrefix(e.Member+" "+e.Reason, " ") }

func wrong(member, format string, args ...any) error {
	return &Error{Member: member, Reason: fmt.Sprintf(format, args...)}
}

// digestLabel keeps what is hashed here apart from everything else.
const digestLabel = "cortex/command/1\n"

// Digest returns a hash that stands for the command: SHA-256 in hex, of a label and
// [Command.Encode]. It must be a valid command.
func (c Command) Digest() string {
	sum := sha256.Sum256(append([]byte(digestLabel), c.Encode()...))
	return hex.EncodeToString(sum[:])
}

// Validate returns an *[Error] for what cannot be a command.
func (c Command) Validate() error {
	err := cmp.Or(
		checkPath("program", c.Program), checkSum("program_sha256", c.ProgramSHA256),
		checkPath("dir", c.Dir), checkTexts("args", c.Args))
	if err == nil && c.Interpreter+c.InterpreterSHA256 != "" {
		err = cmp.Or(checkPath("interpreter", c.Interpreter), checkSum("interpreter_sha256", c.InterpreterSHA256))
	}
	if err == nil {
		err = cmp.Or(checkFiles(c.Files, len(c.Args), false), c.checkWeak())
	}
	if err == nil && len(c.Encode()) > MaxCommand {
		err = wrong("", "is longer than %d bytes", MaxCommand)
	}
	return err
}

func (c Command) checkWeak() error {
	for i, token := range c.Weak {
		if c.rank(token) < 0 {
			return wrong("weak", "has what says nothing about this command")
		}
		if i > 0 && c.rank(c.Weak[i-1]) >= c.rank(token) {
			return wrong("weak", "is not in order, or says something twice")
		}
	}
	return nil
}

// rank orders the tokens of Weak; -1 for what is none of this command.
func (c Command) rank(token string) int {
	switch n := len(c.Files); token {
	case "program":
		return 0
	case "interpreter":
		if c.Interpreter != "" {
			return 1
		}
	case "dir":
		return 2 + n
	case "home":
		return 3 + n
	case "inline":
		return 4 + n
	default:
		if i := slices.IndexFunc(c.Files, func(f File) bool { return f.token() == token }); i >= 0 {
			return 2 + i
		}
	}
	return -1
}

func (f File) token() string { return fmt.Sprintf("file:%d", f.Arg) }

// Weaker adds tokens to Weak, each once and in order. What says nothing about this
// command is left out.
func (c Command) Weaker(tokens ...string) Command {
	all := slices.DeleteFunc(slices.Concat(c.Weak, tokens), func(t string) bool { return c.rank(t) < 0 })
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(c.rank(a), c.rank(b)) })
	c.Weak = slices.Compact(all)
	return c
}

// checkFiles checks what n arguments name. In a pin path or hash may be empty.
func checkFiles(files []File, n int, pin bool) error {
	last := -1
	for _, f := range files {
		if f.Arg <= last || f.Arg >= n {
			return wrong("files", "must be in the order of the arguments, one for each at most")
		}
		last = f.Arg
		if f.Path == "" && f.SHA256 == "" {
			return wrong("files", "has neither path nor hash")
		}
		if f.Path != "" || !pin {
			if err := checkPath("files.path", f.Path); err != nil {
				return err
			}
		}
		if f.SHA256 != "" || !pin {
			if err := checkSum("files.sha256", f.SHA256); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkPath accepts absolute paths in their shortest form.
func checkPath(member, p string) error { return checkAbsolute(member, p, maxPath) }

func checkAbsolute(member, p string, most int) error {
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p || len(p) > most {
		return wrong(member, "must be an absolute path of at most %d bytes, without . and ..", most)
	}
	return checkText(member, p)
}

// checkSum accepts a SHA-256 in lower-case hex.
func checkSum(member, sum string) error {
	if len(sum) == 2*sha256.Size && strings.Trim(sum, "0123456789abcdef") == "" {
		return nil
	}
	return wrong(member, "must be a SHA-256 of 64 lower-case hex digits")
}

func checkTexts(member string, texts []string) error {
	for _, t := range texts {
		if err := checkText(member, t); err != nil {
			return err
		}
	}
	return nil
}

func checkText(member, text string) error {
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\uFFFD") {
		return wrong(member, "has something that is no text")
	}
	return nil
}
