// Package projectfile reads .cortex.toml, in which a directory says how its
// commands are run, and keeps which of these files somebody has allowed. Whoever
// can write to a directory can put one there, so none counts before that.
package projectfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
	"golang.org/x/sys/unix"
)

// Name is the name of the file.
const Name = ".cortex.toml"

// maxSize is the size of the longest file, in bytes.
const maxSize = 64 << 10

// A File is a project file as it was read. What it says is unknown until
// [File.Settings] is asked: before it is allowed nobody needs to know.
type File struct {
	// Path is where it lies, absolute and without symbolic links on the way.
	Path string

	text []byte
}

// Settings are what a file says. They are named as the flags of cortex run are,
// and mean the same.
type Settings struct {
	Project  string            `toml:"project"`
	URL      string            `toml:"url"`
	EnvFile  string            `toml:"env-file"` // from the file's directory
	Names    []string          `toml:"names"`    // in place of an env-file
	Only     []string          `toml:"only"`
	Env      map[string]string `toml:"env"`      // the variable, by the name it gets
	File     map[string]string `toml:"file"`     // the variable of its path, by the secret's
	Template map[string]string `toml:"template"` // by the template's path
	// TemplateFile is the path of a file on a disk, from the file's directory, by the
	// template's variable.
	TemplateFile map[string]string `toml:"template-file"`

	Stdin     string   `toml:"stdin"`
	SSH       []string `toml:"ssh"`
	NoInherit bool     `toml:"no-inherit"`
	Wait      string   `toml:"wait"`
	Timeout   string   `toml:"timeout"`
}

// Find reads the file of a directory: its own, else that of the nearest one
// above it. It returns an error wrapping [fs.ErrNotExist] if there is none.
func Find(dir string) (*File, error) {
	for {
		f, err := Read(filepath.Join(dir, Name))
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		above := filepath.Dir(dir)
		if above == dir {
			return nil, fmt.Errorf("%s: %w", Name, fs.ErrNotExist)
		}
		dir = above
	}
}

// ErrLink means that a file is a symbolic link. It would speak for a directory by what
// somebody allowed for another one, and whoever wrote a repository can have put it there.
var ErrLink = errors.New("it is a symbolic link")

// Read reads the file at path, which must be a plain one of 64 KiB or less: not even a link,
// for which the error wraps [ErrLink].
func Read(path string) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	path = filepath.Join(dir, filepath.Base(path))
	// It waits for nobody, should it be a pipe.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s does not count: %w", path, ErrLink)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a plain file", path))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxSize)
	}
	return &File{path, text}, nil
}

// Dir returns the directory that the file speaks for.
func (f *File) Dir() string { return filepath.Dir(f.Path) }

// hash tells a text from all others.
func (f *File) hash() [sha256.Size]byte { return sha256.Sum256(f.text) }

// Settings returns what the file says. What it says and nobody knows is an error.
func (f *File) Settings() (Settings, error) {
	var s Settings
	meta, err := toml.NewDecoder(bytes.NewReader(f.text)).Decode(&s)
	if err != nil {
		return Settings{}, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Settings{}, fmt.Errorf("there is no setting %q", unknown[0].String())
	}
	return s, nil
}
