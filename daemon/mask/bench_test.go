package mask_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/cortex-auth/cortex/daemon/mask"
	"github.com/cortex-auth/cortex/vault/opaque"
)

const chunk = 64 << 10

// buildLog returns text like that of a build, with a value in one line of a
// thousand.
func buildLog(values []string, format string) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	words := []string{"GET", "/api/v1/users", "status=200", "duration_ms=12", "request_id=7f3a9c1e", "level=info", "msg=\"request served\"", "host=web-3", "retry", "timeout", "postgres", "cache hit", "0x7ffe12", "2026-11-23T10:00:00.000Z"}
	var b bytes.Buffer
	for i := 0; b.Len() < 16<<20; i++ {
		for range 12 {
			fmt.Fprintf(&b, format, words[r.IntN(len(words))])
		}
		if i%1000 == 0 {
			b.WriteString(values[r.IntN(len(values))])
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func randomValues(n, shortest int) (values []string) {
	r := rand.New(rand.NewPCG(7, 7))
	for range n {
		b := make([]byte, shortest+r.IntN(32))
		for i := range b {
			b[i] = letters[r.IntN(64)]
		}
		values = append(values, string(b))
	}
	return values
}

func BenchmarkWrite(b *testing.B) {
	long := randomValues(20, 16)
	random := make([]byte, 16<<20)
	rand.NewChaCha8([32]byte{}).Read(random)
	text := buildLog(long, "%s ")
	for _, bm := range []struct {
		name   string
		values []string
		text   []byte
	}{
		{"copy", nil, text},
		{"20 values of 16 bytes", long, text},
		{"colours", long, buildLog(long, "\x1b[32m%s\x1b[0m ")},
		{"20 values of 8 bytes", randomValues(20, 8), text},
		{"200 values", randomValues(200, 16), text},
		{"random bytes", long, random},
		{"worst case", []string{"aaaaaaaab", "baaaaaaaa"}, bytes.Repeat([]byte("a"), 16<<20)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			var w io.Writer = plainCopy{make([]byte, chunk)}
			if bm.values != nil {
				w = newSet(b, bm.values...).Writer(w)
			}
			b.SetBytes(int64(len(bm.text)))
			b.ReportAllocs()
			for b.Loop() {
				for at := 0; at < len(bm.text); at += chunk {
					w.Write(bm.text[at:min(at+chunk, len(bm.text))])
				}
			}
		})
	}
}

// plainCopy is what cat costs, without its system calls.
type plainCopy struct{ to []byte }

func (c plainCopy) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		rest = rest[copy(c.to, rest):]
	}
	return len(p), nil
}

func BenchmarkNewSet(b *testing.B) {
	var values []mask.Value
	for i, v := range randomValues(20, 16) {
		values = append(values, mask.Value{Name: fmt.Sprint(i), Value: opaque.New([]byte(v))})
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := mask.NewSet(values)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

// Once it has its buffers, a Writer needs no more memory.
func TestNoAllocations(t *testing.T) {
	values := randomValues(20, 16)
	w := newSet(t, values...).Writer(io.Discard)
	for _, format := range []string{"%s ", "\x1b[32m%s\x1b[0m "} {
		text := buildLog(values, format)[:1<<20]
		if n := testing.AllocsPerRun(10, func() {
			for at := 0; at < len(text); at += chunk {
				w.Write(text[at : at+chunk])
			}
		}); n > 0 {
			t.Errorf("%q: %v allocations", format, n)
		}
	}
}
