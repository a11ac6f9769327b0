package spawn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// An Exposed is a file on a disk for a program, made for it and removed with it by its
// monitor. It is mode 0600, and of the program's user.
type Exposed struct {
	// Variable holds At, a path by which the program opens the file, and so do arguments
	// where they have {{Variable}}.
	Variable, At string
	// Path is that from Spec.Dir, in which nothing may be a link or lead out of it. The
	// file may not be there yet, and its directory has to be.
	Path string
	Text opaque.Bytes
}

// places returns the variables with the paths of files on a disk.
func places(files []Exposed) (paths []Secret) {
	for _, e := range files {
		paths = append(paths, Secret{e.Variable, opaque.New([]byte(e.At))})
	}
	return paths
}

// appendExposed appends what the child has to know of the files: the monitor makes them.
func appendExposed(b []byte, files []Exposed) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(files)))
	for _, e := range files {
		b = appendText(appendText(appendText(b, e.Variable), e.At), e.Path)
	}
	return b
}

func exposedSize(files []Exposed) int {
	n := 4
	for _, e := range files {
		n += 12 + len(e.Variable) + len(e.At) + len(e.Path)
	}
	return n
}

func (d *decoder) exposed() (list []Exposed) {
	for range d.count(12) {
		list = append(list, Exposed{Variable: string(d.text()), At: string(d.text()), Path: string(d.text())})
	}
	return list
}

// ErrExposed is in the chain of the error about a file that cannot be made.
var ErrExposed = errors.New("making a file for a template")

// notExposed says why a file could not be made.
func notExposed(path string, errno syscall.Errno) error {
	switch errno {
	case unix.EEXIST:
		return fmt.Errorf("%w: %s is there already", ErrExposed, path)
	case unix.ELOOP, unix.EXDEV:
		return fmt.Errorf("%w: %s leads over a link, or out of the directory", ErrExposed, path)
	}
	return fmt.Errorf("%w: %s: %w", ErrExposed, path, errno)
}

// exposures are the files that a monitor has made.
type exposures struct {
	made   []*exposure
	closed bool // no more are made
}

// add makes a file from the directory dir.
func (x *exposures) add(dir int, path string, text []byte) error {
	if x.closed {
		return unix.ESRCH // there is no program any more
	}
	e, err := expose(dir, path)
	if err != nil {
		return err
	}
	x.made = append(x.made, e)
	if err := e.enter(ledgerFD); err != nil { // before there is anything in it
		return err
	}
	return e.fill(text)
}

// remove removes the files, and makes no more.
func (x *exposures) remove() {
	for _, e := range x.made {
		e.remove()
	}
	x.made, x.closed = nil, true
}
