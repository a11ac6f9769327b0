package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestGitCommit(t *testing.T) {
	sha1, sha256 := strings.Repeat("0a1b", 10), strings.Repeat("9f8e", 16)
	for _, row := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"none", nil, ""},
		{"branch", map[string]string{".git/HEAD": "ref: refs/heads/a/b\n", ".git/refs/heads/a/b": sha1 + "\n"}, sha1},
		{"detached", map[string]string{".git/HEAD": sha256 + "\n"}, sha256},
		{"packed", map[string]string{".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": "# pack-refs with: peeled\n" + sha256[:40] + " refs/heads/mainly\n" + sha1 + " refs/heads/main\n^" + sha256[:40] + "\n"}, sha1},
		{"loose before packed", map[string]string{".git/HEAD": "ref: refs/heads/main", ".git/refs/heads/main": sha1, ".git/packed-refs": sha256[:40] + " refs/heads/main\n"}, sha1},
		{"worktree", map[string]string{".git": "gitdir: repo/worktrees/w\n", "repo/worktrees/w/HEAD": "ref: refs/heads/w\n", "repo/worktrees/w/commondir": "../..\n", "repo/refs/heads/w": sha1}, sha1},
		{"unborn", map[string]string{".git/HEAD": "ref: refs/heads/main\n"}, ""},
		{"upwards", map[string]string{".git/HEAD": "ref: refs/../../secret\n", "secret": sha1}, ""},
		{"elsewhere", map[string]string{".git/HEAD": "ref: ../secret\n", "secret": sha1}, ""},
		{"not a hash", map[string]string{".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": "-----BEGIN PRIVATE KEY-----\n"}, ""},
		{"upper case", map[string]string{".git/HEAD": strings.ToUpper(sha1)}, ""},
		{"empty", map[string]string{".git/HEAD": ""}, ""},
		{"no pointer", map[string]string{".git": "something else\n"}, ""},
	} {
		dir := t.TempDir()
		// Nothing above is looked into.
		if err := os.WriteFile(filepath.Join(dir, ".git"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(dir, "repository")
		for name, content := range row.files {
			path := filepath.Join(dir, name)
			os.MkdirAll(filepath.Dir(path), 0o700)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		below := filepath.Join(dir, "some", "directory")
		os.MkdirAll(below, 0o700)
		if got := gitCommit(below); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	// A pipe in place of a file does not hold anybody up.
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, ".git"), 0o700)
	if err := unix.Mkfifo(filepath.Join(dir, ".git", "HEAD"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := gitCommit(dir); got != "" {
		t.Errorf("got %q", got)
	}
}
