package attack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// leftBehind kills a command, its monitor and its launcher at once, and then looks for
// the canaries of all runs of this attack on all file systems that can be written to.
func leftBehind(ctx context.Context, t *target) (finding, error) {
	v, err := t.start(ctx, t.dir, t.helper()...)
	if err != nil {
		return finding{}, err
	}
	for _, p := range []process{v.monitor, v.command} {
		unix.Kill(p.pid, unix.SIGKILL) // another user's goes on until its launcher has ended
	}
	v.launcher.Process.Kill()
	<-v.exited
	if !v.command.over(patience) {
		v.end()
		return untried("the command did not end")
	}
	v.end()
	t.victim.end()
	t.victim = nil
	control := filepath.Join(t.dir, "control")
	if err := os.WriteFile(control, []byte(newControl()), 0o600); err != nil {
		return finding{}, err
	}
	s := &search{since: t.began.Add(-time.Second), until: time.Now().Add(searchTime), say: t.say}
	s.everywhere(ctx)
	return s.verdict(control)
}

// verdict says what the search has come to, which was to find a control as well. What
// was not looked into may have a value.
func (s *search) verdict(control string) (finding, error) {
	switch {
	case len(s.canaries) > 0:
		return open("it is in %s", strings.Join(s.canaries[:min(3, len(s.canaries))], " and "))
	case s.late || s.closed > 0:
		return untried("not to its end: %s", s)
	case !slices.Contains(s.controls, control):
		return untried("what is written to %s is not found there", control)
	}
	return stopped("%s", s)
}

// searchTime is how long the search may take.
const searchTime = 2 * time.Minute

// A search looks for canaries in files that have changed since it was made. No program
// sets the time at which a file was changed last.
type search struct {
	since, until time.Time
	say          func(string, ...any)

	systems, looked, changed, closed, shut int // shut are directories
	late                                   bool
	canaries, controls                     []string // files
}

// String says what was searched.
func (s *search) String() string {
	text := fmt.Sprintf("it is in none of the %d files that have changed, of %d on %d file systems", s.changed, s.looked, s.systems)
	if s.closed > 0 {
		text += fmt.Sprintf("; %d more are closed to this user", s.closed)
	}
	if s.shut > 0 {
		text += fmt.Sprintf("; %d directories are closed to this user", s.shut)
	}
	if s.late {
		text += fmt.Sprintf("; after %v the rest was left out", searchTime)
	}
	return text
}

// everywhere searches all file systems that can be written to.
func (s *search) everywhere(ctx context.Context) {
	mounts := writable()
	for _, dir := range mounts {
		s.systems++
		s.say("left-behind: searching %s, %d files so far", dir, s.looked)
		s.below(ctx, dir, mounts)
	}
}

var errLate = errors.New("out of time")

// below searches one file system.
func (s *search) below(ctx context.Context, root string, mounts []string) {
	var device uint64
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil || time.Now().After(s.until):
			s.late = true
			return errLate
		case errors.Is(err, fs.ErrPermission):
			s.shut++
			return nil
		case err != nil:
			return nil // what has gone
		}
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil {
			return nil
		}
		if path == root {
			device = st.Dev
		}
		if d.IsDir() {
			if st.Dev != device || path != root && slices.Contains(mounts, path) {
				return filepath.SkipDir
			}
			return nil
		}
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			s.file(path, st)
		}
		return nil
	})
}

// file searches a file, if it has changed.
func (s *search) file(path string, st unix.Stat_t) {
	if s.looked++; s.looked%100_000 == 0 {
		s.say("left-behind: %d files so far", s.looked)
	}
	if time.Unix(st.Ctim.Unix()).Before(s.since) {
		return
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		s.closed++
		return
	}
	defer f.Close()
	s.changed++
	canary, control := within(f)
	if canary {
		s.canaries = append(s.canaries, path)
	}
	if control {
		s.controls = append(s.controls, path)
	}
}

// writable returns where file systems are mounted that can be written to and hold
// files, each once.
func writable() (dirs []string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		mount, system, ok := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(system)
		if !ok || len(m) < 6 || len(s) < 3 || seen[m[2]] || !holdsFiles(s[0]) {
			continue
		}
		if slices.Contains(strings.Split(m[5], ","), "rw") && slices.Contains(strings.Split(s[2], ","), "rw") {
			seen[m[2]] = true
			dirs = append(dirs, unescaped(m[4]))
		}
	}
	return dirs
}

// unescaped undoes what mountinfo does to blanks in names.
func unescaped(name string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(name)
}

// holdsFiles reports whether a kind of file system is one of files on this machine.
func holdsFiles(kind string) bool {
	switch kind {
	case "proc", "sysfs", "devpts", "cgroup", "cgroup2", "mqueue", "debugfs", "tracefs", "securityfs", "pstore", "bpf", "configfs", "fusectl", "hugetlbfs", "autofs", "binfmt_misc", "efivarfs", "rpc_pipefs", "nsfs", "cifs", "smb3", "afs", "ceph":
		return false
	}
	return !startsWith(kind, "nfs", "fuse.")
}
