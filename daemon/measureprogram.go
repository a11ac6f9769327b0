package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// program looks at the program, and at what runs it.
func (m *measurer) program() error {
	path, err := m.find(m.spec.Program)
	if err != nil {
		return err
	}
	s, err := m.see(path, true)
	if err != nil {
		return unreadable(err)
	}
	c, e := &m.out.command, m.out.exact
	e.Path, e.Program, c.ProgramSHA256 = path, s.id, s.sum
	if c.Program, err = m.called(path); err != nil {
		return err
	}
	if s.open {
		m.weak = append(m.weak, "program")
	}
	if s.line == nil {
		return nil
	}
	return m.interpreter(*s.line)
}

// unreadable says what to do about a program that can be executed and not be read.
func unreadable(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return client.WithHint(err, "let the daemon's user read it")
	}
	return err
}

// interpreter looks at what runs a script.
func (m *measurer) interpreter(line scriptLine) error {
	path, argv := line.path, line.argv()
	if words := line.throughEnv(); words != nil {
		var err error
		if path, err = m.find(words[0]); err != nil {
			return err
		}
	} else if filepath.Base(path) == "env" {
		m.weak = append(m.weak, "interpreter") // which then is what env finds
	}
	s, err := m.see(path, true)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &spawn.StartError{Status: spawn.StatusNotFound, Text: m.spec.Program + ": its interpreter is missing"}
	case err != nil:
		return unreadable(err)
	case s.line != nil:
		return client.WithHint(fmt.Errorf("the interpreter %s is a script itself", path), "name in the script's first line what runs that")
	}
	c := &m.out.command
	if c.Interpreter, err = m.called(path); err != nil {
		return err
	}
	c.InterpreterSHA256 = s.sum
	m.out.exact.Interpreter = &spawn.Interpreter{Path: path, Identity: s.id, Argv: argv}
	if s.open {
		m.weak = append(m.weak, "interpreter")
	}
	return nil
}

// called returns the path by which a program is known, with no symbolic link but
// perhaps the last name: programs look at how they were called.
func (m *measurer) called(path string) (string, error) {
	path = m.abs(path)
	dir, _, err := m.rights.follow(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// find looks for a program as execvp(3) does, and returns its path, perhaps from the
// directory.
func (m *measurer) find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, m.executable(name)
	}
	path, ok := spawn.Lookup(m.spec.Env, "PATH")
	if !ok {
		path = spawn.DefaultPath
	}
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		if at := dir + "/" + name; m.executable(at) == nil {
			return at, nil
		}
	}
	return "", &spawn.StartError{Status: spawn.StatusNotFound, Text: name + ": command not found"}
}

func (m *measurer) executable(path string) error {
	info, err := os.Stat(m.abs(path))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &spawn.StartError{Status: spawn.StatusNotFound, Text: path + ": no such file or directory"}
	case err != nil:
		return err
	case info.IsDir():
		return &spawn.StartError{Status: spawn.StatusNotExecutable, Text: path + ": is a directory"}
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return &spawn.StartError{Status: spawn.StatusNotExecutable, Text: path + ": permission denied"}
	}
	return nil
}
