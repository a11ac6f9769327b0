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

// exact returns values of n bytes that look as if a machine had made them.
func exact(count, n int) (values []string) {
	r := rand.New(rand.NewPCG(8, 8))
	for range count {
		b := []byte("aZ9")
		for len(b) < n {
			b = append(b, letters[r.IntN(62)])
		}
		r.Shuffle(n, func(i, j int) { b[i], b[j] = b[j], b[i] })
		values = append(values, string(b))
	}
	return values
}

// beginnings returns text that is made of values without their last byte.
func beginnings(values []string) []byte {
	r := rand.New(rand.NewPCG(9, 9))
	var b bytes.Buffer
	for b.Len() < 16<<20 {
		v := values[r.IntN(len(values))]
		b.WriteString(v[:len(v)-1])
	}
	return b.Bytes()
}

// interruptedText returns the beginning of a text with a sequence behind each byte.
func interruptedText(text []byte) []byte {
	var b bytes.Buffer
	for _, c := range text[:2<<20] {
		b.WriteByte(c)
		b.WriteString("\x1b[1m")
	}
	return b.Bytes()
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
		{"20 values of exactly 8 bytes", exact(20, 8), text},
		{"20 values of 6 bytes, made", exact(20, 6), text},
		{"200 values", randomValues(200, 16), text},
		{"random bytes", long, random},
		{"beginnings of values", long, beginnings(long)},
		{"beginnings of values of 8 bytes", exact(20, 8), beginnings(exact(20, 8))},
		{"a sequence behind each byte", long, interruptedText(text)},
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

// Once it has its buffers, a Writer needs no more memory, whatever the text is.
func TestNoAllocations(t *testing.T) {
	long, short := randomValues(20, 16), exact(20, 6)
	log := buildLog(long, "%s ")
	for _, row := range []struct {
		name   string
		values []string
		text   []byte
	}{
		{"build log", long, log},
		{"colours", long, buildLog(long, "\x1b[32m%s\x1b[0m ")},
		{"short values", short, buildLog(short, "%s ")},
		{"beginnings", long, beginnings(long)},
		{"beginnings of short values", short, beginnings(short)},
		{"a sequence behind each byte", long, interruptedText(log)},
		{"worst case", []string{"aaaaaaaab", "baaaaaaaa"}, bytes.Repeat([]byte("a"), 1<<20)},
	} {
		w := newSet(t, row.values...).Writer(io.Discard)
		if n := testing.AllocsPerRun(10, func() {
			for at := 0; at < 1<<20; at += chunk {
				w.Write(row.text[at : at+chunk])
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", row.name, n)
		}
	}
}
