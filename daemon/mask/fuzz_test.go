package mask_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/daemon/mask"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A stream in pieces comes out as it does in one.
func FuzzChunks(f *testing.F) {
	f.Add("abcdefgh", "abcdefghijkl", []byte("xabcdefgh\x1b[1mabcd\x1b[0mefghijkl\r\nabcdefg"), uint64(1))
	f.Add("aaaabaaa", "baaaabaaa", []byte("aaaabaaaabaaaaabaaabaaaa"), uint64(2))
	f.Add("line one is\nline two is\n", "line two", []byte("line one is\r\nline two is\r\nline \x1b]0;x\x07two isx"), uint64(3))
	f.Fuzz(func(t *testing.T, a, b string, text []byte, seed uint64) {
		s := newSet(t, a, b)
		whole := through(t, s, string(text))
		r := rand.New(rand.NewPCG(seed, 0))
		var pieces []string
		for rest := string(text); rest != ""; {
			n := 1 + r.IntN(min(len(rest), 1+r.IntN(9)))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if got := through(t, s, pieces...); got != whole {
			t.Errorf("%q of %q, %q: in pieces %q, whole %q", text, a, b, got, whole)
		}
		if s.Empty() && whole != string(text) {
			t.Errorf("%q: %q", text, whole)
		}
	})
}

// disguises are what may be done to a value before it is printed.
var disguises = []func(string) string{
	func(v string) string { return v },
	func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) },
	func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) },
	func(v string) string { return base64.StdEncoding.EncodeToString([]byte("x" + v))[2:] },
	func(v string) string { return base64.StdEncoding.EncodeToString([]byte("xx" + v))[3:] },
	func(v string) string { return hex.EncodeToString([]byte(v)) },
	func(v string) string { return strings.ToUpper(hex.EncodeToString([]byte(v))) },
	url.QueryEscape,
	url.PathEscape,
	func(v string) string { return strings.Trim(strconv.Quote(v), `"`) },
	func(v string) string { return strings.ReplaceAll(v, "'", `'\''`) },
}

// interruptions are what a terminal does not show.
var interruptions = []string{"\x1b[1m", "\x1b[38;5;1m", "\r", "\x1b]0;title\x07", "\x1b]8;;u\x1b\\", "\x1b(B", "\x1b[K"}

// Nothing of a value comes out, whatever it is, however it is disguised,
// interrupted and cut into pieces, and what is around it does.
func FuzzLeaks(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		value := randomValue(r)
		form := disguises[r.IntN(len(disguises))](value)
		body := form
		if r.IntN(2) == 0 {
			body = interrupted(r, form)
		}
		var out bytes.Buffer
		s, err := mask.NewSet([]mask.Value{{Name: "V", Value: opaque.New([]byte(value))}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w := s.Writer(&out)
		for text := "«" + body + "»"; text != ""; {
			n := 1 + r.IntN(len(text))
			w.Write([]byte(text[:n]))
			text = text[n:]
		}
		w.Flush()
		rest := out.String()
		for _, i := range interruptions {
			rest = strings.ReplaceAll(rest, i, "")
		}
		// The last character of base64 may hold a few bits of what is behind.
		rest = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(rest, "«‹cortex:V›"), "»"), "=")
		if len(rest) > 1 {
			t.Errorf("%q as %q: %q is left of it", value, body, out.String())
		}
	})
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'\"\\$%& <>~é!"

func randomValue(r *rand.Rand) string {
	alphabet := []rune(letters)
	var b strings.Builder
	for range 8 + r.IntN(80) {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	// What is around would be cut off.
	return "v" + b.String() + "v"
}

func interrupted(r *rand.Rand, text string) string {
	var b strings.Builder
	for i := range len(text) {
		if i > 0 && r.IntN(6) == 0 {
			b.WriteString(interruptions[r.IntN(len(interruptions))])
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// A slow search finds the same.
func FuzzReference(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 2))
		word := func(n int) string {
			b := make([]byte, n)
			for i := range b {
				b[i] = "ab"[r.IntN(2)]
			}
			return string(b)
		}
		var values []string
		for range 1 + r.IntN(4) {
			values = append(values, word(8+r.IntN(6)))
		}
		text := word(r.IntN(200))
		if got, want := through(t, newSet(t, values...), text), slow(values, text); got != want {
			t.Errorf("%q in %s:\n%s\n%s", values, text, got, want)
		}
	})
}

// slow masks a text that holds no encoded value.
func slow(values []string, text string) string {
	var b strings.Builder
	done, last := 0, -1
	for at := range len(text) {
		best := -1
		for i, v := range values {
			if strings.HasPrefix(text[at:], v) && !mask.Short(opaque.New([]byte(v))) && (best < 0 || len(v) > len(values[best])) {
				best = i
			}
		}
		if best >= 0 && at+len(values[best]) > done {
			if at > done || last != best {
				b.WriteString("‹cortex:" + string(rune('A'+best)) + "›")
			}
			done, last = at+len(values[best]), best
		}
		if at >= done {
			b.WriteByte(text[at])
			done, last = at+1, -1
		}
	}
	return b.String()
}
