package spawn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
)

// An Identity is a file's content for as long as nobody changes it: the kernel sets
// the time of the last change, and nobody else.
type Identity struct {
	Dev, Ino     uint64
	Size         int64
	MTime, CTime int64 // nanoseconds since 1970
}

// An Exact says what files the words of a [Spec] mean. If one of them is another by the
// time the program is to be executed, it is not: that is a [StartError].
type Exact struct {
	// Dir is the path of the Spec's directory, empty for any. What is in it is looked up
	// from this path: behind a descriptor somebody else's mounts can lead elsewhere.
	Dir string
	// Path is where the program is, from the Spec's directory.
	Path    string
	Program Identity
	// Interpreter is what is executed for a program that is a script, nil for another.
	Interpreter *Interpreter
	// Files are the plain files that arguments name, in their order. No other argument
	// may name one.
	Files []File
	// Others are what else arguments name, in their order: see [Other]. No other
	// argument may name such a thing.
	Others []Other
	// EmptyHome says that a home directory has to be the program's user's alone, with
	// nothing in it but an empty directory for temporary files.
	EmptyHome bool
	// Copies are what is handed over in place of files.
	Copies []Copy
}

// A Copy is what a program, or its interpreter, reads in place of a file, so that nobody
// can change it. It has another name.
type Copy struct {
	Arg     int // of Files; -1 for a program that is a script
	Content []byte
}

// An Interpreter executes a script.
type Interpreter struct {
	Path string
	Identity
	// Argv comes before the script's path: the interpreter's name, and what its line
	// in the script says besides.
	Argv []string
}

// A File is what an argument names.
type File struct {
	Arg  int // from 0, without the program
	Name int // which of the argument's [FileNames]; no other may name a file
	Identity
}

// name returns the name by which the arguments have it.
func (f File) name(args []string) string { return FileNames(args[f.Arg])[f.Name] }

// Identify returns what an open plain file is. Other files are none.
func Identify(f *os.File) (id Identity, ok bool) {
	var st syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &st) != nil {
		return Identity{}, false
	}
	return identityIn(&st)
}

// identifyPath returns what the plain file at a path is.
func identifyPath(path string) (id Identity, ok bool) {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return Identity{}, false
	}
	return identityIn(&st)
}

// execute turns this process into a Spec's program, or says why not. Its arguments are
// looked at as they were given, and are what args says.
func (e *Exact) execute(s Spec, args, env []string) *StartError {
	program := s.Program
	script, args, err := e.copied(s.Args, args)
	if err != nil {
		return notExecutable(program, err)
	}
	path, want, argv := e.Path, e.Program, append([]string{program}, args...)
	if i := e.Interpreter; i != nil {
		if id, _ := identifyPath(path); id != want {
			return notExecutable(program, ErrChanged)
		}
		path, want, argv = i.Path, i.Identity, slices.Concat(i.Argv, []string{script}, args)
	}
	f, err := openProgram(path)
	if err != nil {
		return notExecutable(program, fmt.Errorf("%s: %w", path, err))
	}
	if id, _ := Identify(f); id != want {
		return notExecutable(program, ErrChanged)
	}
	if err := e.check(s.Args); err != nil {
		return notExecutable(program, err)
	}
	if home, _ := Lookup(env, "HOME"); e.EmptyHome && !emptyHome(home) {
		return notExecutable(program, errHome)
	}
	return notExecutable(program, syscall.Exec(programPath(f, path), argv, env))
}

// enter makes a Spec's directory this process's.
func (s Spec) enter() error {
	if s.Exact == nil || s.Exact.Dir == "" {
		return syscall.Fchdir(int(s.Dir.Fd()))
	}
	if err := syscall.Chdir(s.Exact.Dir); err != nil {
		return fmt.Errorf("%s: %w", s.Exact.Dir, err)
	}
	var is, want syscall.Stat_t
	if err := errors.Join(syscall.Stat(".", &is), syscall.Fstat(int(s.Dir.Fd()), &want)); err != nil {
		return err
	}
	if is.Dev != want.Dev || is.Ino != want.Ino {
		return fmt.Errorf("%s is another one than the caller's", s.Exact.Dir)
	}
	return nil
}

// ErrChanged is about a file of an [Exact] that is not what it was.
var ErrChanged = errors.New("it was changed while it was looked at: run it again")

func (e *Exact) valid(args []string) bool {
	if e == nil {
		return true
	}
	named := func(arg, name int) bool {
		return arg >= 0 && arg < len(args) && name >= 0 && name < len(FileNames(args[arg]))
	}
	last := -1
	for _, f := range e.Files {
		if f.Arg <= last || !named(f.Arg, f.Name) {
			return false
		}
		last = f.Arg
	}
	for _, o := range e.Others {
		if !named(o.Arg, o.Name) {
			return false
		}
	}
	for _, c := range e.Copies {
		of := slices.ContainsFunc(e.Files, func(f File) bool { return f.Arg == c.Arg })
		if !of && (c.Arg != -1 || e.Interpreter == nil) {
			return false
		}
	}
	texts := []string{e.Dir, e.Path}
	if i := e.Interpreter; i != nil {
		texts = slices.Concat(texts, []string{i.Path}, i.Argv)
		if len(i.Argv) == 0 || i.Path == "" {
			return false
		}
	}
	return e.Path != "" && !slices.ContainsFunc(texts, hasNUL)
}

// The form of an Exact, behind the rest of a Spec's, with exactBit of streams:
//
//	dir          text
//	path         text
//	program      identity: device, inode, size, times of modification and change, 8 each
//	interpreter  list, of at most one: path text, identity, argv list of text
//	files        list of: argument 4, which of its names 4, identity
//	others       list of: argument 4, which of its names 4, kind 4, device 8, inode 8
//	empty home   1, or 0
//	copies       list of: argument 4, from 1, or 0 for the program; content text
const (
	identitySize = 5 * 8
	fileSize     = 2*4 + identitySize
	otherSize    = 3*4 + 2*8
)

func (e *Exact) size() int {
	if e == nil {
		return 0
	}
	n := 4 + len(e.Dir) + 4 + len(e.Path) + identitySize + 4 + 4 + fileSize*len(e.Files) + 4 + otherSize*len(e.Others) + 1 + 4
	for _, c := range e.Copies {
		n += 4 + 4 + len(c.Content)
	}
	if i := e.Interpreter; i != nil {
		n += 4 + len(i.Path) + identitySize + textsSize(i.Argv)
	}
	return n
}

func appendExact(b []byte, e *Exact) []byte {
	if e == nil {
		return b
	}
	b = appendIdentity(appendText(appendText(b, e.Dir), e.Path), e.Program)
	if i := e.Interpreter; i != nil {
		b = binary.BigEndian.AppendUint32(b, 1)
		b = appendTexts(appendIdentity(appendText(b, i.Path), i.Identity), i.Argv)
	} else {
		b = binary.BigEndian.AppendUint32(b, 0)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Files)))
	for _, f := range e.Files {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(f.Arg)), uint32(f.Name))
		b = appendIdentity(b, f.Identity)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Others)))
	for _, o := range e.Others {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(o.Arg)), uint32(o.Name))
		b = binary.BigEndian.AppendUint32(b, o.Kind)
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, o.Dev), o.Ino)
	}
	home := byte(0)
	if e.EmptyHome {
		home = 1
	}
	b = binary.BigEndian.AppendUint32(append(b, home), uint32(len(e.Copies)))
	for _, c := range e.Copies {
		b = appendText(binary.BigEndian.AppendUint32(b, uint32(c.Arg+1)), c.Content)
	}
	return b
}

func appendIdentity(b []byte, id Identity) []byte {
	for _, n := range [...]uint64{id.Dev, id.Ino, uint64(id.Size), uint64(id.MTime), uint64(id.CTime)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func (d *decoder) exact() *Exact {
	e := &Exact{Dir: string(d.text()), Path: string(d.text()), Program: d.identity()}
	switch d.uint32() {
	case 0:
	case 1:
		e.Interpreter = &Interpreter{Path: string(d.text()), Identity: d.identity(), Argv: d.texts()}
	default:
		d.check(false)
	}
	for range d.count(fileSize) {
		e.Files = append(e.Files, File{int(d.uint32()), int(d.uint32()), d.identity()})
	}
	for range d.count(otherSize) {
		e.Others = append(e.Others, Other{int(d.uint32()), int(d.uint32()), d.uint32(), d.uint64(), d.uint64()})
	}
	home := d.byte()
	d.check(home <= 1)
	e.EmptyHome = home == 1
	for range d.count(4 + 4) {
		e.Copies = append(e.Copies, Copy{int(d.uint32()) - 1, d.text()})
	}
	return e
}

func (d *decoder) identity() Identity {
	return Identity{d.uint64(), d.uint64(), int64(d.uint64()), int64(d.uint64()), int64(d.uint64())}
}
