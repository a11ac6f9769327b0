package spawn

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// exposed returns a spec whose program has a file on a disk.
func (s *stage) exposed(path string, command ...string) Spec {
	spec := s.spec(command...)
	spec.Exposed = []Exposed{{Variable: "CONFIG", At: filepath.Join(s.dir, path), Path: path, Text: opaque.New([]byte("key = value\n"))}}
	return spec
}

// gone fails the test if a file is there.
func (s *stage) gone(path string) {
	s.t.Helper()
	if _, err := os.Lstat(filepath.Join(s.dir, path)); !errors.Is(err, os.ErrNotExist) {
		s.t.Errorf("%s is left: %v", path, err)
	}
}

func TestExposed(t *testing.T) {
	s := newStage(t)
	os.Mkdir(filepath.Join(s.dir, "sub"), 0o755)
	for _, path := range []string{"app.conf", "sub/app.conf"} {
		spec := s.exposed(path, "sh", "-c", `umask; stat -c %a:%s "$CONFIG"; cat "$1"; cd /; cat "$CONFIG"; echo more >>"$CONFIG"`, "sh", "{{CONFIG}}")
		spec.Umask = 0o777
		if got, status := s.output(spec); got != "0777\n600:12\nkey = value\nkey = value\n" || status != 0 {
			t.Errorf("%q, %d", got, status)
		}
		s.gone(path)
	}
	// Whatever its end is.
	if _, err := s.Start(t.Context(), s.exposed("app.conf", "no-such-program")); err == nil {
		t.Error("started it")
	}
	run, out := s.start(s.exposed("app.conf", "sh", "-c", `setsid sh -c 'echo up; exec sleep 1000' & exec sleep 1000`))
	waitLine(t, out, "up")
	run.Kill()
	<-run.Done()
	s.gone("app.conf")
	if got, status := s.output(s.exposed("app.conf", "sh", "-c", "kill -9 $$")); got != "" || status != 137 {
		t.Errorf("%q, %d", got, status)
	}
	s.gone("app.conf")
}

// Without a daemon the monitor removes it, too.
func TestExposedWithoutDaemon(t *testing.T) {
	s := newStage(t)
	run, out := s.start(s.exposed("app.conf", "sleep", "1000"))
	run.control.Close()
	io.ReadAll(out)
	<-run.Done()
	s.gone("app.conf")
}

// A monitor that is killed leaves it to whoever started it.
func TestExposedWithoutMonitor(t *testing.T) {
	for name, s := range map[string]*stage{"own": newStage(t), "another user's": nil} {
		t.Run(name, func(t *testing.T) {
			if s == nil {
				s, _ = newRemoteStage(t, 1)
				os.Chmod(s.dir, 0o777)
			}
			spec := s.exposed("app.conf", "sh", "-c", `kill -9 $PPID; exec sleep 1000`)
			spec.Exposed = append(spec.Exposed, Exposed{"OTHER", "/other", "other", opaque.New([]byte("other"))})
			run, _ := s.start(spec)
			<-run.Done()
			if _, err := run.Exit(); !errors.Is(err, ErrLost) {
				t.Error(err)
			}
			s.gone("app.conf")
			s.gone("other")
		})
	}
}

// A program may take it elsewhere, which leaves nothing in it, or put another in its
// place, which is the program's own.
func TestExposedMoved(t *testing.T) {
	s := newStage(t)
	s.output(s.exposed("app.conf", "sh", "-c", "ln app.conf link; mv app.conf moved; echo mine > app.conf"))
	for path, want := range map[string]string{"link": "", "moved": "", "app.conf": "mine\n"} {
		if text, err := os.ReadFile(filepath.Join(s.dir, path)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
}

func TestExposedRefused(t *testing.T) {
	s := newStage(t)
	outside := t.TempDir()
	s.write("there", "stays", 0o644)
	os.Mkdir(filepath.Join(s.dir, "sub"), 0o755)
	for link, to := range map[string]string{"link": outside, "sub/in": "..", "dangling": filepath.Join(outside, "file"), "onto": "there"} {
		if err := os.Symlink(to, filepath.Join(s.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"there": "is there already", "sub": "is there already", "dangling": "is there already", "onto": "is there already",
		"link/file": "over a link", "sub/in/file": "over a link", "none/file": "no such file", "there/file": "not a directory",
		"../file": "cannot be a file", "/file": "cannot be a file", "": "cannot be a file", ".": "cannot be a file", "sub/../../file": "cannot be a file",
	} {
		if _, err := s.Start(t.Context(), s.exposed(path, "touch", "ran")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	spec := s.exposed("first", "touch", "ran")
	spec.Exposed = append(spec.Exposed, Exposed{"OTHER", "/there", "there", opaque.New([]byte("other"))})
	if _, err := s.Start(t.Context(), spec); !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), ": there is there already") {
		t.Error(err)
	}
	s.gone("first")
	s.gone("ran")
	if text, _ := os.ReadFile(filepath.Join(s.dir, "there")); string(text) != "stays" {
		t.Errorf("%q", text)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}
