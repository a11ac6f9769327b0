package lockedtest

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"
)

// childEnv is the variable that names the part a child is to play.
const childEnv = "CORTEX_LOCKEDTEST_CHILD"

// Main is what TestMain calls: in a child made by [Start] it plays the part
// asked for and exits, otherwise it returns. A part gets its input from
// standard input and ends by calling [Wait].
func Main(parts map[string]func()) {
	name := os.Getenv(childEnv)
	if name == "" {
		return
	}
	part, ok := parts[name]
	if !ok {
		panic("lockedtest: no part named " + name)
	}
	part()
	os.Exit(0)
}

// Wait tells the parent that the child has done its work, with what it has to
// say, and waits until the parent has seen enough.
func Wait(report []byte) {
	out := os.NewFile(3, "report")
	if _, err := out.Write(report); err != nil {
		panic(err)
	}
	out.Close()
	io.Copy(io.Discard, os.NewFile(4, "release"))
}

// Start runs this test's binary again as the child that plays a part, and
// returns its process id and its report once it waits. The child ends with the
// test.
func Start(t testing.TB, part string, input []byte) (pid int, report []byte) {
	t.Helper()
	reportR, reportW := pipe(t)
	releaseR, releaseW := pipe(t)
	cmd := exec.Command(os.Args[0])
	var stderr bytes.Buffer
	// The race detector has a process linger for a second before it ends.
	cmd.Env = append(os.Environ(), childEnv+"="+part, "GORACE=atexit_sleep_ms=0")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	cmd.ExtraFiles = []*os.File{reportW, releaseR}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reportW.Close()
	releaseR.Close()
	t.Cleanup(func() {
		releaseW.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("child %s: %v\n%s", part, err, stderr.Bytes())
		}
	})
	report, err := io.ReadAll(reportR)
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, report
}

// pipe returns a pipe that is closed when the test ends.
func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}
