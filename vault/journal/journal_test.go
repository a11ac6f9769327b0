package journal

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// vectorKey is the key of the session that the vectors speak of.
func vectorKey() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

type vector struct{ kind, name, want, text string }

func vectors(t testing.TB) (all []vector) {
	f, err := os.Open("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var v vector
	members := map[string]*string{"kind": &v.kind, "name": &v.name, "want": &v.want, "text": &v.text}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch member := members[word]; {
		case lines.Text() == "" && v.kind != "":
			all, v = append(all, v), vector{}
		case member != nil:
			*member = rest
		case word != "" && word != "#":
			t.Fatalf("what is %q?", lines.Text())
		}
	}
	if v.kind != "" {
		all = append(all, v)
	}
	return all
}

// tagOf is what the vectors' vault puts on a receipt.
func tagOf(r Receipt) []byte {
	m := hmac.New(sha256.New, bytes.Repeat([]byte{0x11}, 32))
	for _, part := range [][]byte{[]byte("offline-receipt"), r.Tagged()} {
		m.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		m.Write(part)
	}
	return m.Sum(nil)
}

func receiptFate(text string) string {
	r, err := ParseReceipt(text)
	switch {
	case err != nil:
		return "malformed"
	case !hmac.Equal(r.Tag, tagOf(r)):
		return "untagged"
	}
	return "ok"
}

func TestVectors(t *testing.T) {
	key := vectorKey().Public().(ed25519.PublicKey)
	var chain Chain
	seen := map[string]int{}
	for _, v := range vectors(t) {
		got := "ok"
		if v.kind == "receipt" {
			got = receiptFate(v.text)
		} else {
			e, err := Parse(v.text)
			switch {
			case err != nil:
				got = "malformed"
			case !e.SignedBy(key):
				got = "unsigned"
			case !chain.Follows(e):
				got = "unlinked"
			default:
				chain = After(e)
			}
		}
		if got != v.want {
			t.Errorf("%s %s: %s, want %s", v.kind, v.name, got, v.want)
		}
		seen[v.kind+" "+v.want]++
	}
	for _, kind := range []string{"receipt ok", "receipt malformed", "receipt untagged", "entry ok", "entry malformed", "entry unsigned", "entry unlinked"} {
		if seen[kind] == 0 {
			t.Errorf("no vector of %s", kind)
		}
	}
}

// What a chain makes is what Parse takes.
func TestChain(t *testing.T) {
	var receipt string
	for _, v := range vectors(t) {
		if v.kind == "receipt" && v.want == "ok" {
			receipt = v.text
		}
	}
	var made, read Chain
	for i, names := range [][]string{{"B", "A", "B"}, nil, {"C"}} {
		e, ok := made.Next(int64(1000+i), receipt, names)
		if !ok {
			t.Fatalf("no entry for %q", names)
		}
		e.Signature = ed25519.Sign(vectorKey(), e.Message())
		got, err := Parse(e.Line())
		if err != nil || !got.SignedBy(vectorKey().Public().(ed25519.PublicKey)) || !read.Follows(got) {
			t.Fatalf("%q: %v", e.Line(), err)
		}
		if i == 0 && strings.Join(got.Names, " ") != "A B" {
			t.Errorf("names %q", got.Names)
		}
		made, read = After(e), After(got)
	}
	for what, next := range map[string]func() (Entry, bool){
		"a bar in a name":     func() (Entry, bool) { return made.Next(1, receipt, []string{"A|B"}) },
		"a comma in a name":   func() (Entry, bool) { return made.Next(1, receipt, []string{"A,B"}) },
		"an empty name":       func() (Entry, bool) { return made.Next(1, receipt, []string{""}) },
		"half a receipt":      func() (Entry, bool) { return made.Next(1, receipt[1:], nil) },
		"a time before 1970":  func() (Entry, bool) { return made.Next(-1, receipt, nil) },
		"more than fits":      func() (Entry, bool) { return made.Next(1, receipt, long(MaxNames, 40)) },
		"more names than may": func() (Entry, bool) { return made.Next(1, receipt, long(MaxNames+1, 4)) },
	} {
		if _, ok := next(); ok {
			t.Errorf("%s has an entry", what)
		}
	}
}

// long returns so many names of so many bytes.
func long(n, size int) (names []string) {
	for i := range n {
		name := []byte(strings.Repeat("A", size))
		for j := range 4 {
			name[size-1-j] = 'A' + byte(i>>(4*j)&15)
		}
		names = append(names, string(name))
	}
	return names
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := Parse(text); err == nil && e.Line() != text {
			t.Errorf("%q comes back as %q", text, e.Line())
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	for _, v := range vectors(f) {
		if v.kind == "receipt" {
			f.Add(v.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseReceipt(text); err == nil && r.Text() != text {
			t.Errorf("%q comes back as %q", text, r.Text())
		}
	})
}
