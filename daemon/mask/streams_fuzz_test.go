package mask_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/daemon/mask"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A printed is a text with values in it, and what is to be seen of that: around is
// what stands between them, one more than there are names.
type printed struct {
	text   string
	around []string
	names  []string
}

// printing makes a text of values, disguised and interrupted.
func printing(r *rand.Rand, values []string) (p printed) {
	between := []string{" ", "\n", " GET /v1/users 200\n", " «é» ", "\t|\t"}
	var b strings.Builder
	for range 1 + r.IntN(6) {
		p.around = append(p.around, between[r.IntN(len(between))])
		b.WriteString(p.around[len(p.around)-1])
		i := r.IntN(len(values))
		form := disguises[r.IntN(len(disguises))](values[i])
		if r.IntN(2) == 0 {
			form = interrupted(r, form)
		}
		b.WriteString(form)
		p.names = append(p.names, fmt.Sprintf("‹cortex:V%d›", i))
	}
	p.around = append(p.around, between[r.IntN(len(between))])
	b.WriteString(p.around[len(p.around)-1])
	p.text = b.String()
	return p
}

// check returns what is wrong with what came out.
func (p printed) check(out string) error {
	for _, i := range interruptions {
		out = strings.ReplaceAll(out, i, "")
	}
	for i, around := range p.around {
		rest, ok := strings.CutPrefix(out, around)
		if !ok && i > 0 {
			// The last character of base64 may hold a few bits of what is behind.
			rest, ok = strings.CutPrefix(strings.TrimLeft(out[min(1, len(out)):], "="), around)
			if !ok {
				rest, ok = strings.CutPrefix(strings.TrimLeft(out, "="), around)
			}
		}
		if ok && i < len(p.names) {
			rest, ok = strings.CutPrefix(rest, p.names[i])
		}
		if !ok {
			return fmt.Errorf("at %d: %q is left", i, out)
		}
		out = rest
	}
	if out != "" {
		return fmt.Errorf("%q is too much", out)
	}
	return nil
}

// Two streams that are masked at once, cut into pieces that come by turns, come out
// as each does that is kept until its end; and of every value in them, as whatever
// it was printed, and interrupted wherever, there is its name and nothing else.
func FuzzStreams(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		var values []string
		var needles []mask.Value
		for i := range 1 + r.IntN(4) {
			values = append(values, randomValue(r))
			needles = append(needles, mask.Value{Name: fmt.Sprint("V", i), Value: opaque.New([]byte(values[i]))})
		}
		s, err := mask.NewSet(needles)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		streams := [2]printed{printing(r, values), printing(r, values)}
		var out [2]bytes.Buffer
		inTurn(r, [2]io.Writer{s.Writer(&out[0]), s.Writer(&out[1])}, [2]string{streams[0].text, streams[1].text})
		for i, p := range streams {
			if whole := through(t, s, p.text); out[i].String() != whole {
				t.Errorf("%q: in pieces %q, whole %q", p.text, out[i].String(), whole)
			}
			if err := p.check(out[i].String()); err != nil {
				t.Errorf("%q became %q: %v", p.text, out[i].String(), err)
			}
		}
	})
}

// inTurn writes two texts in pieces, which come by turns, and flushes both.
func inTurn(r *rand.Rand, to [2]io.Writer, texts [2]string) {
	for texts[0]+texts[1] != "" {
		i := r.IntN(2)
		if texts[i] == "" {
			i = 1 - i
		}
		n := 1 + r.IntN(min(len(texts[i]), 1+r.IntN(40)))
		io.WriteString(to[i], texts[i][:n])
		texts[i] = texts[i][n:]
	}
	for _, w := range to {
		w.(*mask.Writer).Flush()
	}
}
