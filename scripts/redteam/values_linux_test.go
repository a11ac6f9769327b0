package redteam

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is tried to see values that a command gets.
var valueMoves = map[string]hostMove{
	"env-file":                envFile,
	"approved-value":          approvedValue,
	"printed-part":            printedPart,
	"printed-halves-together": halvesTogether,
	"redact-guesses":          redactGuesses,
	"redact-guesses-other":    redactGuessesOther,
	"mask-loses-output":       lostOutput,
	"handed-over-file":        handedOver,
	"files-left-behind":       filesLeftBehind,
	"changed-file":            changedFile,
}

// The file of names that a run was made with, and all else in alice's home directory.
func envFile(t *testing.T, h *host) outcome {
	names := h.names(t, h.alice, h.variable)
	if r := h.run(t, h.alice, h.project, h.variable, "true"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	search := func(value string) bool {
		return finish(t, h.as(t.Context(), h.alice, "grep", "-rqs", value, h.home(h.alice), names)).status == 0
	}
	if !search(h.variable) {
		t.Fatal("not even the name is found")
	}
	return unless(search(h.value), stopped)
}

func approvedValue(t *testing.T, h *host) outcome {
	return unless(h.gets(t, h.alice, h.project, h.variable) == h.value, stopped)
}

func printedPart(t *testing.T, h *host) outcome {
	r := h.run(t, h.alice, h.project, h.variable, "sh", "-c", `printf %.12s "$`+h.variable+`"`)
	return unless(r.stdout == h.value[:12], stopped)
}

// Halves on standard output and standard error, which are one file.
func halvesTogether(t *testing.T, h *host) outcome {
	half := len(h.value) / 2
	script := fmt.Sprintf(`v=$%s; printf %%.%ds "$v"; printf %%s "${v#%s}" >&2`, h.variable, half, strings.Repeat("?", half))
	if r := h.run(t, h.alice, h.project, h.variable, "sh", "-c", script); r.stdout+r.stderr != h.value {
		t.Fatalf("apart they are %q and %q", r.stdout, r.stderr)
	}
	cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", script)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); err != nil || both.Len() == 0 {
		t.Fatalf("%v, %q", err, &both)
	}
	return unless(strings.Contains(both.String(), h.value), stopped)
}

// Thousands of guesses in one text, one of which is right.
func redactGuesses(t *testing.T, h *host) outcome {
	if r := h.run(t, h.alice, h.project, h.variable, "true"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	return unless(h.guesses(t, h.alice, h.project, h.value), stopped)
}

// Another member of the group shows them, where only alice has run the project.
func redactGuessesOther(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	if !h.guesses(t, h.alice, project, value) {
		t.Fatal("not even alice finds it")
	}
	if h.guesses(t, h.grace, project, value) {
		return open
	}
	if h.in == isolated && (h.gets(t, h.grace, project, variable) != value || !h.guesses(t, h.grace, project, value)) {
		t.Fatal("nor does she who has run it")
	}
	return stopped
}

// guesses reports whether somebody finds a value by guesses.
func (h *host) guesses(t *testing.T, who somebody, project, value string) bool {
	t.Helper()
	guesses := make([]string, 10_000)
	for i := range guesses {
		guesses[i] = canary()
	}
	at := 4711
	guesses[at] = value
	cmd := h.cortex(t, who, "redact", "--sock", h.sock, "--project", project)
	cmd.Stdin = strings.NewReader(strings.Join(guesses, "\n"))
	r := finish(t, cmd)
	lines := strings.Split(r.stdout, "\n")
	if r.status != 0 || len(lines) != len(guesses) {
		t.Logf("%d, %s", r.status, r.stderr)
		return false
	}
	for i, line := range lines {
		if (line != guesses[i]) != (i == at) {
			t.Fatalf("the mask tells of %q, and not of the value alone", line)
		}
	}
	return true
}

// What ends as the beginning of a value, and what nobody reads while the command is
// killed.
func lostOutput(t *testing.T, h *host) outcome {
	script := `head -c 200000 /dev/zero | tr '\0' x; printf %.12s "$` + h.variable + `"`
	if r := h.run(t, h.alice, h.project, h.variable, "sh", "-c", script); r.stdout != strings.Repeat("x", 200_000)+h.value[:12] {
		t.Logf("%d bytes came", len(r.stdout))
		return open
	}
	dir := open777(t)
	cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", `
		i=0; while printf %010000d 0; do i=$((i+1)); echo $i > "$1/next" && mv "$1/next" "$1/count"; done`, "sh", dir)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	written := settled(t, filepath.Join(dir, "count"))
	cmd.Process.Signal(unix.SIGTERM)
	cmd.Wait()
	// Nobody reads before the last has let go of it.
	for fds := []unix.PollFd{{Fd: int32(r.Fd())}}; fds[0].Revents&unix.POLLHUP == 0; {
		if n, err := unix.Poll(fds, int(patience.Milliseconds())); n == 0 || err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatalf("somebody keeps the output: %v", err)
		}
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d bytes came", len(rest), written*10000)
	if len(rest) < written*10000 {
		return limited
	}
	return stopped
}

// settled returns the number in a file when it does not grow any more.
func settled(t *testing.T, path string) int {
	t.Helper()
	last, same := 0, 0
	for deadline := time.Now().Add(patience); same < 5; time.Sleep(50 * time.Millisecond) {
		text, _ := os.ReadFile(path)
		n := 0
		fmt.Sscan(string(text), &n)
		if same++; n == 0 || n != last {
			last, same = n, 0
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not settle", path)
		}
	}
	return last
}

// open777 returns a directory where everybody may write.
func open777(t *testing.T) string {
	t.Helper()
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A command changes the file before what it starts reads it.
func changedFile(t *testing.T, h *host) outcome {
	script := `for f in "$IN_FILE" "$1"; do (echo other > "$f") 2>/dev/null; (echo more >> "$f") 2>/dev/null; done
		cat "$IN_FILE" | tr a-zA-Z n-za-mN-ZA-M; cat "$1" >&2`
	own := filepath.Join(open777(t), "file")
	if err := errors.Join(os.WriteFile(own, nil, 0o666), os.Chmod(own, 0o666)); err != nil {
		t.Fatal(err)
	}
	cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", script, "sh", own)
	cmd.Args = slices.Insert(cmd.Args, 2, "--file", h.variable+"=IN_FILE")
	r := finish(t, cmd)
	if r.stderr != "other\nmore\n" {
		t.Fatalf("a file that can be changed is not: %+v", r)
	}
	return unless(untold(r.stdout) != h.value, stopped)
}
