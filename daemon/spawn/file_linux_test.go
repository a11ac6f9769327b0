package spawn

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestSealed(t *testing.T) {
	value := strings.Repeat("a\x00b\n", 50_000)
	f, err := sealed([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("writing: %v", err)
	}
	for _, size := range []int64{0, 1 << 20} {
		if err := f.Truncate(size); !errors.Is(err, unix.EPERM) {
			t.Errorf("making it %d bytes long: %v", size, err)
		}
	}
	if _, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_WRITE, unix.MAP_SHARED); !errors.Is(err, unix.EPERM) {
		t.Errorf("writing to a mapping: %v", err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE); !errors.Is(err, unix.EPERM) {
		t.Errorf("its seals can be changed: %v", err)
	}
	if info, err := f.Stat(); err != nil || info.Mode() != 0o400 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if got, err := io.ReadAll(f); err != nil || string(got) != value {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestFiles(t *testing.T) {
	s := newStage(t)
	spec := s.spec("sh", "-c", `exec 3>&1 4>&1 5>&1 6>&1 7>&1 8>&1 9>&1
		cat "$ONE" "$ONE" "$TWO"; sh -c 'cat "$TWO"'; echo $(wc -c <"$EMPTY")
		for f in "$ONE" "$TWO"; do sh -c 'echo more >>"$1"' sh "$f" || sh -c 'echo other >"$1"' sh "$f" || echo refused; done 2>/dev/null
		cat "$ONE"; grep -c -e first -e second /proc/$$/environ; readlink "$ONE"`)
	spec.Env = append(spec.Env, "ONE=/etc/passwd")
	spec.Files = []Secret{{"ONE", opaque.New([]byte("first\n"))}, {"TWO", opaque.New([]byte("second\n"))}, {"EMPTY", opaque.New(nil)}}
	want := "first\nfirst\nsecond\nsecond\n0\nrefused\nrefused\nfirst\n0\n/memfd:cortex (deleted)\n"
	if got, status := s.output(spec); got != want || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
}

// An argument has the path where it names the file, and keeps all else that is in
// braces.
func TestPathsInArguments(t *testing.T) {
	s := newStage(t)
	spec := s.spec("sh", "-c", `cat "$1" "${2#--config=}" "${3%%:*}" "${3##*:}"; shift 3; printf '%s\n' "$@"`, "sh",
		"{{ONE}}", "--config={{TWO}}", "{{ONE}}:{{TWO}}", "{{one}}", "{{ONE", "{{ ONE }}", "{{HOME}}", "{{{THREE}}}", "{{TWO}")
	spec.Files = []Secret{{"ONE", opaque.New([]byte("first {{TWO}}\n"))}, {"TWO", opaque.New([]byte("second\n"))}}
	want := "first {{TWO}}\nsecond\nfirst {{TWO}}\nsecond\n{{one}}\n{{ONE\n{{ ONE }}\n{{HOME}}\n{{{THREE}}}\n{{TWO}\n"
	if got, status := s.output(spec); got != want || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
	if got := inserted([]string{"{{{{A}}}}", "{{A}}{{B}}{{A}}"}, []Secret{{"A", opaque.New([]byte("{{B}}"))}, {"B", opaque.New([]byte("b"))}}); !slices.Equal(got, []string{"{{{{B}}}}", "{{B}}b{{B}}"}) {
		t.Errorf("%q", got)
	}
}

func TestStdin(t *testing.T) {
	s := newStage(t)
	for _, value := range []string{"", "no line", strings.Repeat("line\n", 100_000)} {
		spec := s.spec("sh", "-c", "cat; cat; cat /dev/stdin")
		callers, w := pipe(t)
		if _, err := io.WriteString(w, "the caller's"); err != nil {
			t.Fatal(err)
		}
		spec.Streams[0], spec.Stdin = callers, new(opaque.New([]byte(value)))
		if got, status := s.output(spec); got != value+value || status != 0 {
			t.Errorf("%d bytes of %d, twice, %d", len(got), len(value), status)
		}
	}
	spec := s.spec("sh", "-c", "ls /proc/$$/fd")
	spec.Stdin = new(opaque.New([]byte("value")))
	if got, _ := s.output(spec); strings.Count(got, "\n") > 4 {
		t.Errorf("descriptors are left over: %q", got)
	}
}
