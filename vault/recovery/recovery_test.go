package recovery

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/opaque"
)

const (
	vaultID = "6f1c2b1e-0000-4000-8000-000000000001"
	setID   = "4e23d0a21069e11fbc4657f526852ad7"
)

func parse(t *testing.T, text opaque.Bytes) Share {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	for _, row := range []struct{ threshold, total int }{{2, 2}, {2, 3}, {3, 5}, {5, 5}, {2, 200}, {200, 200}} {
		secret := make([]byte, SecretSize)
		rand.Read(secret)
		texts, err := Split(vaultID, setID, opaque.New(bytes.Clone(secret)), row.threshold, row.total)
		if err != nil || len(texts) != row.total {
			t.Fatalf("%d, %v", len(texts), err)
		}
		var shares []Share
		for _, text := range texts {
			s := parse(t, text)
			if s.VaultID != vaultID || s.SetID != setID || s.Threshold != row.threshold || s.Total != row.total {
				t.Errorf("%+v", s)
			}
			shares = append(shares, s)
		}
		for _, some := range [][]Share{shares, shares[:row.threshold], shares[row.total-row.threshold:]} {
			got, err := Combine(some)
			if err != nil || !bytes.Equal(got.Reveal(), secret) {
				t.Errorf("%d of %d with %d: %v", row.threshold, row.total, len(some), err)
			}
		}
		if _, err := Combine(shares[:row.threshold-1]); err == nil {
			t.Error("too few shares were enough")
		}
		twice := append([]Share{shares[0]}, shares[:row.threshold-1]...)
		if _, err := Combine(twice); err == nil {
			t.Error("one share counted twice")
		}
	}
}

// The vector, made by another implementation: x = 7 on the line 0x01 + 0x02·x of
// each byte, in the field with the polynomial 0x11d.
func TestVector(t *testing.T) {
	s := parse(t, opaque.New([]byte("AW8cKx4AAEAAgAAAAAAAAAFOI9CiEGnhH7xGV/UmhSrXAgMHDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw81+GJi")))
	if s.VaultID != vaultID || s.SetID != setID || s.Threshold != 2 || s.Total != 3 || s.X != 7 || !bytes.Equal(s.y[:], bytes.Repeat([]byte{0x0f}, 32)) {
		t.Errorf("%+v %x", s, s.y)
	}
	other := s
	other.X, other.y = 1, [SecretSize]byte(bytes.Repeat([]byte{0x03}, 32))
	if got, err := Combine([]Share{s, other}); err != nil || !bytes.Equal(got.Reveal(), bytes.Repeat([]byte{0x01}, 32)) {
		t.Errorf("%x, %v", got.Reveal(), err)
	}
}

// Every single mistake is seen.
func TestMistyped(t *testing.T) {
	texts, err := Split(vaultID, setID, opaque.New(make([]byte, SecretSize)), 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	good := texts[0].Reveal()
	parse(t, opaque.New([]byte("  "+string(good)+"\r\n")))
	for i := range good {
		bad := bytes.Clone(good)
		if bad[i] = 'A'; good[i] == 'A' {
			bad[i] = 'B'
		}
		if _, err := Parse(opaque.New(bad)); !errors.Is(err, ErrShare) {
			t.Errorf("a mistake at %d: %v", i, err)
		}
	}
	for _, bad := range []string{"", "x", string(good[1:]), string(good) + "=", string(good[:40]) + "\n" + string(good[40:]), strings.Repeat("A", 96), "AQQ="} {
		if _, err := Parse(opaque.New([]byte(bad))); !errors.Is(err, ErrShare) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	secret := opaque.New(make([]byte, SecretSize))
	for _, row := range [][2]int{{1, 3}, {0, 0}, {4, 3}, {2, 201}, {-1, 5}} {
		if _, err := Split(vaultID, setID, secret, row[0], row[1]); err == nil {
			t.Errorf("%v", row)
		}
	}
	if _, err := Split("x", setID, secret, 2, 2); err == nil {
		t.Error("a vault id that is none")
	}
	if _, err := Split(vaultID, "x", secret, 2, 2); err == nil {
		t.Error("a set id that is none")
	}
}

// FuzzParse: what parses is written again as it was.
func FuzzParse(f *testing.F) {
	texts, err := Split(vaultID, setID, opaque.New(make([]byte, SecretSize)), 2, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(texts[0].Reveal())
	f.Add([]byte("AQQ="))
	f.Add([]byte(strings.Repeat("A", 96)))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(opaque.New(text))
		if err != nil {
			return
		}
		again, err := s.text()
		if err != nil || !bytes.Equal(again.Reveal(), trim(text)) {
			t.Fatalf("%q became %q (%v)", text, again.Reveal(), err)
		}
	})
}

// One share says nothing: each byte of it is any byte, the secret's own among
// them, equally often. Coefficients that are never zero would show here.
func TestShareIsUniform(t *testing.T) {
	secret := bytes.Repeat([]byte{0xa7}, SecretSize)
	const splits = 2000
	var seen [256]int
	for range splits {
		texts, err := Split(vaultID, setID, opaque.New(bytes.Clone(secret)), 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		s := parse(t, texts[0])
		for _, y := range s.y {
			seen[y]++
		}
	}
	// 250 are expected of each, and eight standard deviations are 126.
	const expected, bound = splits * SecretSize / 256, 126
	for y, n := range seen {
		if n < expected-bound || n > expected+bound {
			t.Errorf("%#02x stands in %d places, and should in %d", y, n, expected)
		}
	}
}
