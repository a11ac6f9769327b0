package spawn

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// Each descriptor is at its number, whatever is in the way there, and a file in memory
// is at none of them.
func TestFurther(t *testing.T) {
	s := newStage(t)
	var want strings.Builder
	spec := s.spec("sh", "-c", `cat "$FILE"; for n in $(seq 3 40) 1000; do cat /proc/self/fd/$n; done; ls /proc/self/fd | wc -l`)
	spec.Files = []Secret{{"FILE", opaque.New([]byte("in memory\n"))}}
	want.WriteString("in memory\n")
	in, _ := pipe(t)
	if err := unix.SetNonblock(int(in.Fd()), true); err != nil { // one that the runtime would poll
		t.Fatal(err)
	}
	spec.Streams[0] = in
	for _, n := range append(slices.Collect(func(yield func(int) bool) {
		for n := 40; n >= 3 && yield(n); n-- {
		}
	}), 1000) {
		r, w := pipe(t)
		fmt.Fprintf(w, "number %d\n", n)
		w.Close()
		spec.Further = append(spec.Further, Further{n, int(r.Fd())})
	}
	for n := 3; n <= 40; n++ {
		fmt.Fprintf(&want, "number %d\n", n)
	}
	want.WriteString("number 1000\n44\n")
	if got, status := s.output(spec); got != want.String() || status != 0 {
		t.Errorf("status %d, got\n%s", status, got)
	}
	spec.Further = []Further{{1 << 16, 0}}
	if _, err := s.Start(t.Context(), spec); err == nil {
		t.Error("started with a number that is too high")
	}
}

// Where output is masked, so is what is written to descriptors beyond, and nothing comes
// with a program that could not be.
func TestFurtherMasked(t *testing.T) {
	s := newStage(t)
	r, w := pipe(t)
	both, err := os.OpenFile(s.dir+"/both", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	spec := s.spec("sh", "-c", `echo sk-secret-value >&3; echo sk-secret-value >&4; (echo sk-secret-value >&5) 2>/dev/null || echo none; cat <&6`)
	in, err := os.Open("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	spec.Needles = []Secret{{"KEY", opaque.New([]byte("sk-secret-value"))}}
	spec.Further = []Further{{3, int(w.Fd())}, {4, int(w.Fd())}, {5, int(both.Fd())}, {6, int(in.Fd())}}
	all := spec
	if _, err := s.Start(t.Context(), all); err == nil {
		t.Error("started with what cannot be masked")
	}
	if gone := spec.Withhold(); !slices.Equal(gone, []int{5}) || len(all.Further) != 4 {
		t.Fatalf("withheld %v of %v", gone, all.Further)
	}
	comm, _ := os.ReadFile("/proc/self/comm")
	if got, _ := s.output(spec); got != "none\n"+string(comm) {
		t.Errorf("%q", got)
	}
	w.Close()
	if got, _ := io.ReadAll(r); string(got) != "‹cortex:KEY›\n‹cortex:KEY›\n" {
		t.Errorf("%q", got)
	}
	spec.Needles = nil
	spec.Further = all.Further
	if gone := spec.Withhold(); gone != nil {
		t.Errorf("withheld %v of what is not masked", gone)
	}
}
