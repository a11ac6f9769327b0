package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// wanted returns the names to ask for, sorted, each once.
func wanted(req ipc.Request, dir *os.File) ([]string, error) {
	var names []string
	var err error
	if req.Names != nil {
		names = *req.Names
	} else if names, err = namesIn(dir, req.EnvFile); err != nil {
		return nil, fmt.Errorf("reading the names: %w", err)
	}
	names = slices.Concat(names, asked(req))
	slices.Sort(names)
	names = slices.Compact(names)
	// They travel as a text. What does not come out as it went in would be
	// other names.
	again, err := dotenv.Names(dotenv.Form(names))
	if err != nil {
		return nil, fmt.Errorf("%w: names: %w", ipc.ErrMalformed, err)
	}
	if !slices.Equal(names, again) {
		return nil, fmt.Errorf("%w: names hold something that is no name", ipc.ErrMalformed)
	}
	return names, nil
}

// namesIn reads the names in a file, or in .env of the directory if there is
// one.
func namesIn(dir *os.File, named *string) ([]string, error) {
	if named != nil {
		return namesInFile(dir, *named, 0)
	}
	// Whoever wrote the directory named this one: a link could lead anywhere.
	names, err := namesInFile(dir, ".env", unix.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

func namesInFile(dir *os.File, path string, how int) ([]string, error) {
	// Not to wait for whoever may write into a pipe of that name.
	fd, err := unix.Openat(int(dir.Fd()), path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY|how, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, dotenv.MaxSize+1))
	defer clear(text) // it may hold values
	if err != nil {
		return nil, err
	}
	entries, err := dotenv.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", path, err)
	}
	return dotenv.EntryNames(entries), nil
}

// renamed returns the values of the program's variables, by the names that it is
// to have them as.
func renamed(values map[string]opaque.Bytes, req ipc.Request) map[string]opaque.Bytes {
	if req.Names == nil {
		return values
	}
	given := map[string]opaque.Bytes{}
	for _, name := range *req.Names {
		if v, ok := values[name]; ok {
			given[name] = v
		}
	}
	for _, a := range req.Aliases {
		name, alias, _ := strings.Cut(a, "=")
		if v, ok := values[alias]; ok {
			given[name] = v
		}
	}
	return given
}
