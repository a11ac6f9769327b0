package pinned

import (
	"fmt"
	"strconv"
)

// Encode returns the one form a command has as JSON, which is that of RFC 8785:
// members sorted by name, no white space, and nothing escaped that need not be.
// What is empty is left out, but for args and dir.
func (c Command) Encode() []byte {
	var o object
	o.texts("args", c.Args)
	o.text("dir", c.Dir)
	o.files(c.Files)
	o.textIf("interpreter", c.Interpreter)
	o.textIf("interpreter_sha256", c.InterpreterSHA256)
	o.text("program", c.Program)
	o.text("program_sha256", c.ProgramSHA256)
	o.textsIf("weak", c.Weak)
	return o.end()
}

// Encode returns the one form a pin has as JSON, as [Command.Encode] does. What is
// empty is left out, but for args.
func (p Pin) Encode() []byte {
	var o object
	o.texts("args", p.Args)
	o.textsIf("dirs", p.Dirs)
	o.textsIf("env", p.Env)
	o.files(p.Files)
	o.textIf("interpreter", p.Interpreter)
	o.textIf("interpreter_sha256", p.InterpreterSHA256)
	o.textIf("program", p.Program)
	o.textIf("program_sha256", p.ProgramSHA256)
	if p.Sealed {
		o.name("sealed")
		o.out = append(o.out, "true"...)
	}
	o.textsIf("weak", p.Weak)
	return o.end()
}

// An object is one in the making.
type object struct{ out []byte }

func (o *object) name(name string) {
	between := byte(',')
	if len(o.out) == 0 {
		between = '{'
	}
	o.out = append(o.out, between)
	o.out = append(appendText(o.out, name), ':')
}

func (o *object) end() []byte {
	if len(o.out) == 0 {
		return []byte("{}")
	}
	return append(o.out, '}')
}

func (o *object) text(name, value string) {
	o.name(name)
	o.out = appendText(o.out, value)
}

func (o *object) textIf(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) texts(name string, values []string) {
	o.name(name)
	o.out = appendArray(o.out, values, appendText)
}

func (o *object) textsIf(name string, values []string) {
	if len(values) > 0 {
		o.texts(name, values)
	}
}

func (o *object) files(files []File) {
	if len(files) == 0 {
		return
	}
	o.name("files")
	o.out = appendArray(o.out, files, func(out []byte, f File) []byte {
		var one object
		one.name("arg")
		one.out = strconv.AppendInt(one.out, int64(f.Arg), 10)
		one.textIf("path", f.Path)
		one.textIf("sha256", f.SHA256)
		return append(out, one.end()...)
	})
}

func appendArray[T any](out []byte, values []T, one func([]byte, T) []byte) []byte {
	out = append(out, '[')
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = one(out, v)
	}
	return append(out, ']')
}

// short are the escapes of two characters.
var short = map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

func appendText(out []byte, text string) []byte {
	out = append(out, '"')
	for i := range len(text) {
		c := text[i]
		switch escape, found := short[c]; {
		case found:
			out = append(out, '\\', escape)
		case c < ' ':
			out = fmt.Appendf(out, `\u%04x`, c)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
