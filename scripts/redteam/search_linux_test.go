package redteam

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// killAll kills the daemon and all that it has started, and starts another daemon.
func (h *host) killAll(t *testing.T) {
	t.Helper()
	for _, pid := range processes() {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		uid := ownerOf(pid)
		if uid == h.own.uid || uid >= runner1 && uid < runner1+len(h.spawners) {
			t.Logf("killing %d %q", pid, bytes.ReplaceAll(name, []byte{0}, []byte(" ")))
			unix.Kill(pid, unix.SIGKILL)
		}
	}
	<-h.daemon.Ended
	h.start(t)
}

// processes returns the ids of all.
func processes() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ownerOf returns whose a process is, -1 if it is gone.
func ownerOf(pid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "\nUid:")
	uid := -1
	fmt.Sscan(rest, &uid)
	return uid
}

// changedFiles returns the files that have changed since, on all file systems, and
// hold one of some texts.
func changedFiles(since time.Time, texts ...string) (found []string) {
	// Files come and go meanwhile, so that it may say that it has not seen all.
	list, _ := exec.Command("find", slices.Concat(mounts(), []string{"-xdev", "-type", "f", "-newerct", fmt.Sprintf("@%d", since.Unix()), "-size", "-2097152", "-print0"})...).Output()
	for path := range strings.SplitSeq(string(list), "\x00") {
		b, _ := os.ReadFile(path)
		if slices.ContainsFunc(texts, func(text string) bool { return bytes.Contains(b, []byte(text)) }) {
			found = append(found, path)
		}
	}
	return found
}

// mounts returns where file systems are that hold files in memory or on disks.
func mounts() (dirs []string) {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		mount, system, _ := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(system)
		if len(m) > 4 && len(s) > 1 && !seen[m[2]] && (strings.HasPrefix(s[1], "/dev/") || slices.Contains([]string{"tmpfs", "overlay", "ramfs", "devtmpfs"}, s[0])) {
			seen[m[2]] = true
			dirs = append(dirs, m[4])
		}
	}
	return dirs
}
