package daemon

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// gitCommit returns the commit that is checked out where dir is, "" if there
// is none. git itself is not run: a repository's configuration can make it run
// anything. Only a full hash is ever returned, whatever the files hold.
func gitCommit(dir string) string {
	git := gitDir(dir)
	if git == "" {
		return ""
	}
	head := firstLine(filepath.Join(git, "HEAD"))
	ref, symbolic := strings.CutPrefix(head, "ref: ")
	if !symbolic {
		return commit(head)
	}
	if !strings.HasPrefix(ref, "refs/") || !filepath.IsLocal(ref) {
		return ""
	}
	common := git
	if shared := firstLine(filepath.Join(git, "commondir")); shared != "" { // a worktree
		common = from(git, shared)
	}
	for _, at := range []string{git, common} {
		if c := commit(firstLine(filepath.Join(at, ref))); c != "" {
			return c
		}
	}
	return packed(filepath.Join(common, "packed-refs"), ref)
}

// gitDir looks for a repository in dir and above.
func gitDir(dir string) string {
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".git")
		switch info, err := os.Stat(path); {
		case err == nil && info.IsDir():
			return path
		case err == nil:
			if target, ok := strings.CutPrefix(firstLine(path), "gitdir: "); ok {
				return from(dir, target)
			}
			return ""
		case dir == filepath.Dir(dir):
			return ""
		}
	}
}

func from(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// maxRefs is the longest list of packed references that is read.
const maxRefs = 4 << 20

// packed finds a reference in gitrepository-layout(5)'s packed-refs.
func packed(path, ref string) string {
	for line := range bytes.Lines(readPlain(path, maxRefs)) {
		if hash, name, ok := strings.Cut(strings.TrimSpace(string(line)), " "); ok && name == ref {
			return commit(hash)
		}
	}
	return ""
}

func firstLine(path string) string {
	line, _, _ := bytes.Cut(readPlain(path, 4096), []byte("\n"))
	return strings.TrimSpace(string(line))
}

// readPlain reads a plain file, at most limit bytes. Anything else, such as a
// pipe that would never end, is empty.
func readPlain(path string, limit int64) []byte {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil
	}
	return text
}

// commit returns s if it is a SHA-1 or SHA-256 in lower-case hex.
func commit(s string) string {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 20 && len(b) != 32 || s != strings.ToLower(s) {
		return ""
	}
	return s
}
