package note_test

import (
	"crypto/ed25519"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault/audit/note"
)

// A vector is one block of testdata/vectors.txt.
type vector struct{ name, want, key, note string }

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		v := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			v[name] = value
		}
		if v["name"] == "" {
			continue
		}
		quoted, err := strconv.Unquote(v["note"])
		if err != nil {
			t.Fatalf("%s: %v", v["name"], err)
		}
		all = append(all, vector{v["name"], v["want"], v["key"], quoted})
	}
	if len(all) < 40 {
		t.Fatalf("%d vectors only", len(all))
	}
	return all
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		key, err := note.ParseKey(v.key)
		if err != nil || key.String() != v.key {
			t.Fatalf("%s: %s, %v", v.name, key, err)
		}
		n, err := note.Parse([]byte(v.note))
		got := "ok"
		switch {
		case errors.Is(err, note.ErrMalformed):
			got = "malformed"
		case err != nil:
			t.Errorf("%s: %v", v.name, err)
		case errors.Is(n.Verify(key), note.ErrNotSigned):
			got = "unsigned"
		}
		if got != v.want {
			t.Errorf("%s: %s, want %s (%v)", v.name, got, v.want, err)
		}
	}
}

// private signs as the standard library does.
type private ed25519.PrivateKey

func (p private) Public() ed25519.PublicKey {
	return ed25519.PrivateKey(p).Public().(ed25519.PublicKey)
}

func (p private) Sign(m []byte) ([]byte, error) { return ed25519.Sign(ed25519.PrivateKey(p), m), nil }

func newPrivate() private {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return private(ed25519.NewKeyFromSeed(seed))
}

// What is signed here is, to the byte, what the other implementation made.
func TestSign(t *testing.T) {
	h := note.Head{VaultID: "6f1c2b1e-0000-4000-8000-000000000001", Seq: 42, Time: time.Date(2027, 1, 31, 13, 0, 0, 5, time.FixedZone("", 3600))}
	for i := range h.RowHash {
		h.RowHash[i] = 0xa0 + byte(i)
	}
	n, err := note.Sign(h, newPrivate())
	if err != nil {
		t.Fatal(err)
	}
	if want := vectors(t)[0]; n.String() != want.note {
		t.Errorf("got\n%s, want\n%s", n, want.note)
	}
	if got := (note.Key{VaultID: h.VaultID, Public: newPrivate().Public()}).String(); got != vectors(t)[0].key {
		t.Errorf("got key %s", got)
	}
	if n.Time.Nanosecond() != 0 || !n.Time.Equal(h.Time.Truncate(time.Second)) {
		t.Errorf("says %s", n.Time)
	}
	for name, bad := range map[string]note.Head{
		"no records": {VaultID: "v", Time: h.Time},
		"no vault":   {Seq: 1, Time: h.Time},
		"vault id":   {VaultID: "a\nb", Seq: 1, Time: h.Time},
		"long id":    {VaultID: strings.Repeat("a", 129), Seq: 1, Time: h.Time},
		"year 10000": {VaultID: "v", Seq: 1, Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if n, err := note.Sign(bad, newPrivate()); !errors.Is(err, note.ErrMalformed) {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
}

func TestTooLong(t *testing.T) {
	good := vectors(t)[0].note
	line := "— w " + strings.Repeat("AAAA", note.MaxSize/4) + "\n"
	if _, err := note.Parse([]byte(good + line)); !errors.Is(err, note.ErrMalformed) {
		t.Errorf("a note of %d bytes: %v", len(good+line), err)
	}
	line = "— w " + strings.Repeat("AAAA", (note.MaxSize-len(good))/4-3) + "\n"
	if _, err := note.Parse([]byte(good + line)); err != nil {
		t.Errorf("a note of %d bytes: %v", len(good+line), err)
	}
}

func TestParseKey(t *testing.T) {
	good := vectors(t)[0].key
	for _, bad := range []string{
		"", "+", "++", good[1:], good[:len(good)-1], good + "\n", good + "=", strings.Replace(good, "audit", "other", 1),
		strings.Replace(good, "000001+", "000002+", 1), strings.Replace(good, "+", " +", 1), strings.ToUpper(good),
		"cortex/audit/head/v+00000000+AQ==", "cortex/audit/head/+00000000+" + strings.SplitN(good, "+", 3)[2],
	} {
		if k, err := note.ParseKey(bad); !errors.Is(err, note.ErrMalformed) {
			t.Errorf("%q: %v, %v", bad, k, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	var key note.Key
	for i, v := range vectors(f) {
		f.Add([]byte(v.note))
		if i == 0 {
			key, _ = note.ParseKey(v.key)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := note.Parse(text)
		if err != nil {
			if !errors.Is(err, note.ErrMalformed) {
				t.Error(err)
			}
			return
		}
		if n.String() != string(text) {
			t.Errorf("%q has the text %q", text, n)
		}
		if err := n.Verify(key); err != nil && !errors.Is(err, note.ErrNotSigned) {
			t.Error(err)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(vectors(f)[0].key)
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := note.ParseKey(s); err == nil && k.String() != s {
			t.Errorf("%q has the text %q", s, k)
		}
	})
}
