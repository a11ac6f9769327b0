package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A power cut leaves each file whole, old or new: what is in it is on the disk before
// it has its name, and the name is when the command has ended.
func TestFilesOutliveAPowerCut(t *testing.T) {
	s := newStage(t)
	s.serve()
	log := filepath.Join(s.dir, "strace")
	s.under = []string{"strace", "-f", "--seccomp-bpf", "-A", "-y", "-qq", "-e", "trace=openat,write,pwrite64,ftruncate,fsync,rename,renameat,renameat2", "-o", log}
	s.enrol("bot")
	home := filepath.Join(s.dir, "home", ".cortex")
	d := disk{dirty: map[string]bool{}, named: map[string]bool{}, renamed: map[string]bool{}}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range calls(string(text)) {
		d.see(t, call)
	}
	for _, name := range []string{"agent-bot.key", "daemon-session.json"} {
		path := filepath.Join(home, name)
		if dirty, written := d.dirty[path]; !written || dirty {
			t.Errorf("%s: written: %t, and not on the disk: %t", name, written, dirty)
		}
	}
	if named, ok := d.named[home]; !ok || named {
		t.Errorf("the names in %s are not on the disk", home)
	}
	if !d.renamed[filepath.Join(home, "daemon-session.json")] {
		t.Error("a session file is overwritten")
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
}

// A disk is what system calls have left undone.
type disk struct {
	dirty   map[string]bool // files that were written: not synced since
	named   map[string]bool // directories with other names in them: not synced since
	renamed map[string]bool // files that took their names when they were whole
}

var (
	wrote   = regexp.MustCompile(`^(?:write|pwrite64|ftruncate)\(\d+<([^>]*)>`)
	synced  = regexp.MustCompile(`^fsync\(\d+<([^>]*)>`)
	created = regexp.MustCompile(`^openat\(.*O_CREAT.* = \d+<([^>]*)>$`)
	moved   = regexp.MustCompile(`^rename(?:at2?)?\(.*?"([^"]*)".*?"([^"]*)"`)
)

// see takes note of a call that went well.
func (d disk) see(t *testing.T, call string) {
	if m := wrote.FindStringSubmatch(call); m != nil {
		d.dirty[m[1]] = true
	} else if m := synced.FindStringSubmatch(call); m != nil {
		if _, ok := d.dirty[m[1]]; ok {
			d.dirty[m[1]] = false
		}
		if _, ok := d.named[m[1]]; ok {
			d.named[m[1]] = false
		}
	} else if m := created.FindStringSubmatch(call); m != nil {
		d.named[filepath.Dir(m[1])] = true
	} else if m := moved.FindStringSubmatch(call); m != nil {
		if d.dirty[m[1]] {
			t.Errorf("%s gets its name before it is on the disk", m[2])
		}
		d.dirty[m[2]], d.named[filepath.Dir(m[2])], d.renamed[m[2]] = d.dirty[m[1]], true, true
	}
}

// calls returns the calls of a log that went well, in the order of their ends. Those
// that others came in between of are in two parts there.
func calls(log string) (list []string) {
	begun := map[string]string{}
	for line := range strings.Lines(log) {
		pid, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		if head, ok := strings.CutSuffix(call, " <unfinished ...>"); ok {
			begun[pid] = head
			continue
		}
		if _, rest, ok := strings.Cut(call, " resumed>"); ok && strings.HasPrefix(call, "<... ") {
			call = begun[pid] + rest
		}
		if !strings.Contains(call, " = -1 ") {
			list = append(list, call)
		}
	}
	return list
}
