package lockedtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A Mapping is one piece of a process's address space.
type Mapping struct {
	// Start and End are its addresses, End being the first beyond it.
	Start, End uint64
	// Name is the file it maps, or a name in brackets; empty for plain memory.
	Name string
	// Flags are its VmFlags, of two letters each; see proc_pid_smaps(5).
	Flags []string
	// Resident tells whether any page of it is in memory or in swap.
	Resident bool
}

// Has reports whether m has a flag, such as "lo" for locked.
func (m Mapping) Has(flag string) bool { return slices.Contains(m.Flags, flag) }

// Secret reports whether m comes from memfd_secret.
func (m Mapping) Secret() bool { return strings.Contains(m.Name, "secretmem") }

// String returns the mapping as one line of a test's output.
func (m Mapping) String() string {
	return fmt.Sprintf("%x-%x %s %v", m.Start, m.End, m.Name, m.Flags)
}

// Mappings returns the address space of a process. It ends the test if it may
// not see it.
func Mappings(t testing.TB, pid int) []Mapping {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatalf("%v: this test looks into another process and must be run as root, or with ptrace permission", err)
	}
	var list []Mapping
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if !strings.HasSuffix(f[0], ":") {
			list = append(list, header(t, line, f))
			continue
		}
		m := &list[len(list)-1]
		switch f[0] {
		case "Rss:", "Swap:":
			m.Resident = m.Resident || f[1] != "0"
		case "VmFlags:":
			m.Flags = f[1:]
		}
	}
	return list
}

// header parses the first line of a mapping.
func header(t testing.TB, line string, f []string) Mapping {
	t.Helper()
	var m Mapping
	if _, err := fmt.Sscanf(f[0], "%x-%x", &m.Start, &m.End); err != nil || len(f) < 5 {
		t.Fatalf("smaps: %q: %v", line, err)
	}
	if len(f) > 5 {
		m.Name = strings.Join(f[5:], " ")
	}
	return m
}

// A Hit is a place where a needle was found.
type Hit struct {
	// Needle is its name.
	Needle string
	// Address is where it begins.
	Address uint64
	// Mapping is what it lies in.
	Mapping Mapping
}

// String returns the hit as one line of a test's output.
func (h Hit) String() string { return fmt.Sprintf("%s at %x in %s", h.Needle, h.Address, h.Mapping) }

// overlap is read twice at the borders of chunks: no needle may be longer.
const overlap = 256

// Scan searches all the memory of a process for needles, by name. The process
// should be waiting for something. Memory from memfd_secret is asked for too,
// and that it is refused is part of the test. Scan ends the test if it may not
// look.
func Scan(t testing.TB, pid int, needles map[string][]byte) []Hit {
	t.Helper()
	for name, n := range needles {
		if len(n) < 8 || len(n) > overlap {
			t.Fatalf("needle %s of %d bytes", name, len(n))
		}
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatalf("%v: this test looks into another process and must be run as root, or with ptrace permission", err)
	}
	defer mem.Close()
	var hits []Hit
	for _, m := range Mappings(t, pid) {
		switch {
		case m.Secret():
			if n, err := mem.ReadAt(make([]byte, 1), int64(m.Start)); n != 0 || err == nil {
				t.Errorf("memory from memfd_secret can be read: %s", m)
			}
		case m.Resident && m.Name != "[vsyscall]" && !strings.HasPrefix(m.Name, "[vvar"):
			hits = append(hits, m.search(t, mem, needles)...)
		}
	}
	return hits
}

// Canary is the name of a needle that lies on the heap, where it is found.
const Canary = "canary"

// Found returns how often a process has each of the needles in its memory, as [Scan] does. But
// for the canary, which has to be found, they are to lie in locked memory only.
func Found(t testing.TB, pid int, needles map[string][]byte) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, hit := range Scan(t, pid, needles) {
		found[hit.Needle]++
		if hit.Needle != Canary && !hit.Mapping.Has("lo") {
			t.Errorf("outside of locked memory: %s", hit)
		}
	}
	// What is found proves that the search finds things.
	if found[Canary] == 0 {
		t.Error("a secret on the heap was not found")
	}
	return found
}

// search searches one mapping.
func (m Mapping) search(t testing.TB, mem io.ReaderAt, needles map[string][]byte) []Hit {
	t.Helper()
	var hits []Hit
	chunk := make([]byte, 1<<20+overlap)
	for at := m.Start; at < m.End; at += 1 << 20 {
		piece := chunk[:min(uint64(len(chunk)), m.End-at)]
		n, err := mem.ReadAt(piece, int64(at))
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EIO) {
			t.Fatalf("%v in %s: this test must be run as root, or with ptrace permission", err, m)
		}
		if err != nil {
			// A piece of a file mapping beyond the end of the file. Nothing else.
			if m.Name == "" || m.Name[0] != '/' {
				t.Errorf("unreadable at %x: %s: %v", at+uint64(n), m, err)
			}
		}
		for name, needle := range needles {
			hits = append(hits, find(name, needle, piece[:n], at, m)...)
		}
	}
	return hits
}

// find returns the places of a needle in a piece of memory. Those that begin in
// the overlap are left to the next piece.
func find(name string, needle, piece []byte, at uint64, m Mapping) []Hit {
	var hits []Hit
	for from := 0; ; from++ {
		i := bytes.Index(piece[from:], needle)
		if from += i; i < 0 || from >= 1<<20 {
			return hits
		}
		hits = append(hits, Hit{name, at + uint64(from), m})
	}
}
