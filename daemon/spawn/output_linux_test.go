package spawn

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// masked returns what runs a script with a secret in $TOKEN that it may not
// print.
func (s *stage) masked(script string) Spec {
	spec := s.spec("sh", "-c", script)
	spec.Secrets = []Secret{{"TOKEN", opaque.New([]byte("Zq7-hunter2-canary"))}}
	spec.Needles = spec.Secrets
	return spec
}

func TestMasked(t *testing.T) {
	s := newStage(t)
	for script, want := range map[string]string{
		`echo "<$TOKEN>"`: "<‹cortex:TOKEN›>\n",
		`printf Zq7-hun; sleep 0.05; echo ter2-canary`: "‹cortex:TOKEN›\n",
		`printf %s "$TOKEN" | base64`:                  "‹cortex:TOKEN›\n",
		`printf Zq7-hunter2`:                           "Zq7-hunter2",
		`(sleep 0.05; echo "$TOKEN") & echo ready`:     "ready\n", // it is killed
		`(sleep 0.05; echo "$TOKEN") & wait; exit 3`:   "‹cortex:TOKEN›\n",
		`true`: "",
	} {
		out, status := s.output(s.masked(script))
		if out != want || (status == 3) != strings.Contains(script, "exit 3") {
			t.Errorf("%s: %q, %d", script, out, status)
		}
	}
	spec := s.masked(`echo "$TOKEN"`)
	spec.Needles = nil
	if out, _ := s.output(spec); out != "Zq7-hunter2-canary\n" {
		t.Errorf("%q", out)
	}
}

// Standard output and error stay apart, unless they are one: then they stay in
// order.
func TestMaskedStreams(t *testing.T) {
	s := newStage(t)
	outR, outW := pipe(t)
	errR, errW := pipe(t)
	script := `i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo "o $TOKEN"; echo "e $TOKEN" >&2; done`
	spec := s.masked(script)
	spec.Streams[1], spec.Streams[2] = outW, errW
	run, err := s.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	outW.Close()
	errW.Close()
	for r, line := range map[*os.File]string{outR: "o ‹cortex:TOKEN›\n", errR: "e ‹cortex:TOKEN›\n"} {
		if text, err := io.ReadAll(r); err != nil || string(text) != strings.Repeat(line, 200) {
			t.Errorf("%v %q", err, text)
		}
	}
	exit(t, run)

	for _, open := range []func() *os.File{
		func() *os.File { _, w := pipe(t); return w },
		func() *os.File {
			f, err := os.Create(filepath.Join(s.dir, "out"))
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
	} {
		spec := s.masked(script)
		w := open()
		spec.Streams[1], spec.Streams[2] = w, w
		run, err := s.Start(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		exit(t, run) // what it prints fits into a pipe
		if err := w.Sync(); err == nil {
			text, err := os.ReadFile(w.Name())
			if err != nil || string(text) != strings.Repeat("o ‹cortex:TOKEN›\ne ‹cortex:TOKEN›\n", 200) {
				t.Errorf("%v %q", err, text)
			}
		}
		w.Close()
	}
}

// The end is told when everything is passed on, however slow the reader is.
func TestMaskedBinary(t *testing.T) {
	s := newStage(t)
	content := make([]byte, 3<<20)
	for i := range content {
		content[i] = byte(i * i >> 7)
	}
	s.write("blob", string(content), 0o600)
	run, out := s.start(s.masked("cat blob; exit 9"))
	select {
	case <-run.Done():
		t.Fatal("the end was told before anything was read")
	default:
	}
	text, err := io.ReadAll(out)
	if err != nil || sha256.Sum256(text) != sha256.Sum256(content) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if status := exit(t, run); status != 9 {
		t.Error(status)
	}
}

// What nobody sees goes where it went.
func TestMaskedNull(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	s := newStage(t)
	spec := s.masked(`at=$(readlink /proc/$$/fd/1); echo $at >&2`)
	r, w := pipe(t)
	spec.Streams[1], spec.Streams[2] = null, w
	run, err := s.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "/dev/null\n" {
		t.Errorf("%q %v", text, err)
	}
	exit(t, run)
}

// A program hears at once that nobody reads any more, as without a mask.
func TestMaskedReaderGone(t *testing.T) {
	s := newStage(t)
	run, out := s.start(s.masked("yes"))
	if _, err := io.ReadFull(out, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if status := exit(t, run); status != 128+int(unix.SIGPIPE) {
		t.Error(status)
	}

	// Also while there is nothing to write.
	in, inW := pipe(t)
	spec := s.masked("echo ready; read x; echo more; echo still alive >&2")
	spec.Streams[0] = in
	run, out = s.start(spec)
	waitLine(t, out, "ready")
	out.Close()
	io.WriteString(inW, "go on\n")
	if status := exit(t, run); status != 0 && status != 128+int(unix.SIGPIPE) {
		t.Error(status)
	}
}

// What cannot be written is not lost in silence.
func TestMaskedFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	s := newStage(t)
	spec := s.masked("echo x")
	spec.Streams[1] = full
	run, err := s.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	<-run.Done()
	if _, err := run.Exit(); !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
}

// Who reads nothing does not keep a run alive that is to end.
func TestMaskedStuck(t *testing.T) {
	s := newStage(t)
	run, _ := s.start(s.masked("head -c 1000000 /dev/zero; echo over >&2"))
	run.Kill()
	<-run.Done()

	// A signal that comes when only the reader is waited for ends that.
	errR, errW := pipe(t)
	_, outW := pipe(t)
	spec := s.masked("head -c 100000 /dev/zero; echo over >&2")
	spec.Streams[1], spec.Streams[2] = outW, errW
	run, err := s.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	errW.Close()
	text, err := io.ReadAll(errR)
	if err != nil || !bytes.Equal(text, []byte("over\n")) {
		t.Fatalf("%q %v", text, err)
	}
	for over := false; !over; { // the first may come before the program has ended
		run.Signal(unix.SIGTERM)
		select {
		case <-run.Done():
			over = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	if status := exit(t, run); status != 0 && status != 128+int(unix.SIGTERM) {
		t.Error(status)
	}
}
