package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// A measurement is what a command is: for the vault, which knows what was approved, and
// for whoever starts it, who starts nothing else.
type measurement struct {
	command pinned.Command
	exact   *spawn.Exact
}

// errMeasure is in the chain of every error about a command of which it cannot be said
// what it is.
var errMeasure = errors.New("it cannot be said what this command runs")

// A measurer looks at the files of a command.
type measurer struct {
	*Daemon
	spec   spawn.Spec
	rights rights
	dir    string // where the command starts
	left   int64  // how many bytes may yet be read
	out    measurement
	weak   []string
}

// measure looks at a command. Where there is no such program, that is a
// [spawn.StartError], as it would be without a look.
func (d *Daemon) measure(spec spawn.Spec, r rights) (measurement, error) {
	m := &measurer{Daemon: d, spec: spec, rights: r, left: maxHashed}
	m.out.exact = &spawn.Exact{}
	if err := m.look(); err != nil {
		if _, ok := errors.AsType[*spawn.StartError](err); !ok {
			err = fmt.Errorf("%w: %w", errMeasure, err)
		}
		return measurement{}, err
	}
	return m.out, nil
}

// rightsOf returns what the client, and the programs that run for it, could change.
func (d *Daemon) rightsOf(p *peer.Peer) rights {
	r := rights{uids: []int{p.UID}, strangers: len(d.cfg.Spawners) > 0}
	var all bool
	if r.gids, all = groupsOf(p); !all {
		r.strangers = true
	}
	return r
}

func (m *measurer) look() error {
	size := len(m.spec.Program)
	for _, arg := range m.spec.Args {
		if size += len(arg); !utf8.ValidString(arg) || strings.ContainsRune(arg, utf8.RuneError) {
			return errors.New("an argument is not UTF-8")
		}
	}
	if size > pinned.MaxCommand {
		return fmt.Errorf("its arguments are longer than %d bytes", pinned.MaxCommand)
	}
	var err error
	if m.dir, err = m.place(); err != nil {
		return err
	}
	c := &m.out.command
	m.out.exact.Dir = m.dir
	c.Dir, c.Args = m.dir, append([]string{}, m.spec.Args...)
	if err := m.program(); err != nil {
		return err
	}
	for n, arg := range m.spec.Args {
		if err := m.argument(n, arg); err != nil {
			return err
		}
	}
	if m.home() {
		m.weak = append(m.weak, "home")
	}
	if inline(words{c.Args, m.out.exact.Files}, c.Program, m.out.exact.Path, m.spec.Program) {
		m.weak = append(m.weak, "inline")
	}
	*c = c.Weaker(m.weak...)
	return c.Validate()
}

// place returns the directory's path.
func (m *measurer) place() (string, error) {
	path := pathOf(m.spec.Dir)
	if path == "" {
		path = m.named()
	}
	if path == "" {
		return "", client.WithHint(errors.New("the daemon does not see its directory"), "start it in a directory that is there, and not in the daemon's own /tmp")
	}
	to, open, err := m.rights.follow(path)
	if open {
		m.weak = append(m.weak, "dir")
	}
	return to, err
}

// named returns what PWD says, if that is the directory.
func (m *measurer) named() string {
	path, _ := spawn.Lookup(m.spec.Env, "PWD")
	var at, open unix.Stat_t
	if !filepath.IsAbs(path) || unix.Stat(path, &at) != nil || unix.Fstat(int(m.spec.Dir.Fd()), &open) != nil || at.Ino != open.Ino || at.Dev != open.Dev {
		return ""
	}
	return path
}

// home reports whether the directory is open to whoever starts the command from which
// programs read what they are to do. That of another user, who runs it, is that user's alone
// and empty, which is looked at when the command is executed ([spawn.Exact].EmptyHome).
func (m *measurer) home() bool {
	if len(m.cfg.Spawners) > 0 {
		return false
	}
	path, _ := spawn.Lookup(m.spec.Env, "HOME")
	if !plainDir(path) {
		return true // it is to be guessed, or more than a path where a script does not quote it
	}
	_, open, _ := m.rights.follow(path)
	return open
}

// A sight is a file that was looked at.
type sight struct {
	path string // with no symbolic link in it
	sum  string
	id   spawn.Identity
	open bool // to change
	line *scriptLine
}

// see looks at a file, whose path may be from the directory.
func (m *measurer) see(path string, script bool) (s sight, err error) {
	s.path, s.open, err = m.rights.follow(m.abs(path))
	if err != nil {
		return s, err
	}
	fd, err := unix.Open(s.path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return s, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), s.path)
	defer f.Close()
	if s.sum, s.id, err = m.hashes.sum(f, &m.left, s.open); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if script {
		if s.line, err = readScriptLine(f); err != nil {
			return s, fmt.Errorf("%s: %w", path, err)
		}
	}
	return s, nil
}

func (m *measurer) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return m.dir + "/" + path // and not cleaned: .. is behind links
}

// argument looks at the file that an argument names, if it names one.
func (m *measurer) argument(n int, arg string) error {
	found := false
	for i, name := range spawn.FileNames(arg) {
		if name == "" || !m.plain(n, i, name) {
			continue // a file that can be seen later, by whoever runs it, is refused then
		}
		if found {
			return fmt.Errorf("the argument %.200q names two files", arg)
		}
		found = true
		s, err := m.see(name, false)
		if err != nil {
			return err
		}
		m.out.command.Files = append(m.out.command.Files, pinned.File{Arg: n, Path: s.path, SHA256: s.sum})
		m.out.exact.Files = append(m.out.exact.Files, spawn.File{Arg: n, Name: i, Identity: s.id})
		if s.open {
			m.weak = append(m.weak, fmt.Sprintf("file:%d", n))
		}
	}
	return nil
}
