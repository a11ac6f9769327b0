package daemon

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
)

// A scriptLine is what the first line of a script says: its interpreter, and at most one
// argument for it.
type scriptLine struct{ path, arg string }

// maxScriptLine is how much of a program the kernel reads to see what it is.
const maxScriptLine = 256

var errScriptLine = errors.New("its first line is longer than the kernel reads")

// readScriptLine returns what a program says of its interpreter, nil for one that has
// none. One that the kernel has no name for is a script for sh, as execvp(3) has it.
func readScriptLine(program *os.File) (*scriptLine, error) {
	head := make([]byte, maxScriptLine)
	n, err := program.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return parseScriptLine(head[:n])
}

// argv returns how the interpreter is called, before the script and its arguments.
func (l scriptLine) argv() []string {
	if words := l.throughEnv(); words != nil {
		return words
	}
	switch {
	case l == scriptLine{path: defaultShell}:
		return []string{"sh"}
	case l.arg != "":
		return []string{l.path, l.arg}
	}
	return []string{l.path}
}

func parseScriptLine(head []byte) (*scriptLine, error) {
	if binary(head) {
		return nil, nil
	}
	rest, ok := bytes.CutPrefix(head, []byte("#!"))
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	if ok && !whole && len(head) == maxScriptLine {
		return nil, errScriptLine
	}
	text := strings.Trim(string(line), " \t")
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = strings.TrimRight(text[:i], " \t")
	}
	if !ok || text == "" {
		return &scriptLine{path: defaultShell}, nil
	}
	i := strings.IndexAny(text, " \t")
	if i < 0 {
		return &scriptLine{path: text}, nil
	}
	return &scriptLine{text[:i], strings.TrimLeft(text[i:], " \t")}, nil
}

// defaultShell runs what has no first line that says what does.
const defaultShell = "/bin/sh"

// binary reports whether a program is executed by itself: of Linux, and of macOS.
func binary(head []byte) bool {
	for _, magic := range []string{"\x7fELF", "\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xca\xfe\xba\xbe", "\xfe\xed\xfa\xcf", "\xfe\xed\xfa\xce"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// throughEnv returns the words that env(1) would execute for a script, nil if it is not
// as simple as that.
func (l scriptLine) throughEnv() []string {
	if l.path != "/usr/bin/env" && l.path != "/bin/env" {
		return nil
	}
	text, split := strings.CutPrefix(l.arg, "-S")
	words := strings.Fields(text)
	if !split {
		words = []string{l.arg}
	}
	if strings.ContainsAny(text, `\'"$#`) || len(words) == 0 || words[0] == "" || strings.HasPrefix(words[0], "-") || strings.ContainsAny(words[0], "= \t") {
		return nil
	}
	return words
}
