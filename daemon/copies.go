package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// maxCopies is how long the files of a command can be, together, of which it gets copies.
const maxCopies = 4 << 20

// seal has a command get copies of its files.
func seal(spec *spawn.Spec, l look) error {
	m, err := l.measured()
	if err != nil {
		return err
	}
	for _, f := range spec.Exact.Files {
		if err := named(spec.Args[f.Arg], f.Name); err != nil {
			return err
		}
	}
	if spec.Exact.Copies, err = copies(m.command); err != nil {
		return err
	}
	return calledAs(spec.Exact)
}

// calledAs refuses a script whose copy is to be called in another way than was read from it
// before: whoever can write to it can have each read show something else, and what was hashed
// is the copy.
func calledAs(e *spawn.Exact) error {
	for _, c := range e.Copies {
		if c.Arg >= 0 {
			continue
		}
		line, err := parseScriptLine(c.Content[:min(len(c.Content), maxScriptLine)])
		if err != nil || line == nil || !slices.Equal(line.argv(), e.Interpreter.Argv) {
			return spawn.ErrChanged
		}
	}
	return nil
}

// named refuses a copy in place of the one of an argument's names that is i, if the form of
// the argument says that another one is read. Whoever starts the command decides by what is
// there at the moment which it is, and a pin has the argument, and the file, but not that.
func named(arg string, i int) error {
	if i == spawn.ReadName(arg) {
		return nil
	}
	return client.WithHint(fmt.Errorf("a copy cannot take the place of the file %.200q in the argument %.200q", spawn.FileNames(arg)[i], arg),
		"put ./ in front of its name, or have an administrator approve the command without --sealed")
}

// copies returns what a command gets in place of its script and of the files that its
// arguments name: what was looked at, or an error.
func copies(c pinned.Command) (all []spawn.Copy, err error) {
	left := int64(maxCopies)
	add := func(arg int, path, sum string) {
		if err != nil {
			return
		}
		var content []byte
		if content, err = readCopy(path, sum, left); err == nil {
			left -= int64(len(content))
			all = append(all, spawn.Copy{Arg: arg, Content: content})
		}
	}
	if c.Interpreter != "" {
		add(-1, c.Program, c.ProgramSHA256)
	}
	for _, f := range c.Files {
		add(f.Arg, f.Path, f.SHA256)
	}
	return all, err
}

// readCopy reads a file that has a hash.
func readCopy(path, sum string, most int64) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("making a copy of %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() { // a pipe would be waited for
		return nil, spawn.ErrChanged
	}
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	is := sha256.Sum256(content)
	switch {
	case err != nil:
		return nil, fmt.Errorf("making a copy of %s: %w", path, err)
	case int64(len(content)) > most:
		return nil, client.WithHint(fmt.Errorf("%s is too long for a copy: there are %d bytes for all of a command", path, maxCopies),
			"have an administrator approve the command without --sealed")
	case hex.EncodeToString(is[:]) != sum:
		return nil, spawn.ErrChanged
	}
	return content, nil
}
