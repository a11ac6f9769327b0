package keyring

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	mathrand "math/rand/v2"
	"sync"
	"testing"
)

// newMAC returns a MAC under key, until the test ends.
func newMAC(t testing.TB, key []byte) *MAC {
	t.Helper()
	m, err := NewMAC(lockedCopy(t, key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Destroy)
	return m
}

// hmacOf is what Tag must return, by way of the standard library.
func hmacOf(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		binary.Write(h, binary.BigEndian, uint32(len(p)))
		h.Write(p)
	}
	return h.Sum(nil)
}

func TestMACAgainstStandardLibrary(t *testing.T) {
	for n := range 65 {
		if n == 0 {
			continue // there is no empty buffer
		}
		key := make([]byte, n)
		rand.Read(key)
		m := newMAC(t, key)
		for range 20 {
			parts := make([][]byte, mathrand.IntN(4))
			for i := range parts {
				parts[i] = make([]byte, mathrand.IntN(200))
				rand.Read(parts[i])
			}
			want := hmacOf(key, parts...)
			if got := m.Tag(parts...); !bytes.Equal(got[:], want) {
				t.Fatalf("key %x, parts %x: got %x, want %x", key, parts, got, want)
			}
			if !m.Verify(want, parts...) {
				t.Fatalf("key %x, parts %x: does not verify", key, parts)
			}
		}
	}
}

func TestRowTag(t *testing.T) {
	key := []byte("thirty-two bytes that are a key.")
	m := newMAC(t, key)
	want := hmacOf(key, []byte("cortex/1/row"), []byte("agent"), []byte("k"), []byte("v"))
	if got := m.RowTag("agent", []byte("k"), []byte("v")); !bytes.Equal(got[:], want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if m.RowTag("a", []byte("gentk"), []byte("v")) == m.RowTag("agent", []byte("k"), []byte("v")) {
		t.Error("the border between bucket and key does not count")
	}
}

func TestMACVerify(t *testing.T) {
	m := newMAC(t, []byte("key"))
	tag := m.Tag([]byte("a"), []byte("bc"))
	for i := range tag {
		bad := tag
		bad[i] ^= 0x80
		if m.Verify(bad[:], []byte("a"), []byte("bc")) {
			t.Errorf("verifies with byte %d flipped", i)
		}
	}
	for _, parts := range [][][]byte{nil, {[]byte("abc")}, {[]byte("ab"), []byte("c")}, {[]byte("a"), []byte("bc"), nil}, {nil, []byte("a"), []byte("bc")}} {
		if m.Verify(tag[:], parts...) {
			t.Errorf("verifies for %q", parts)
		}
	}
	for _, short := range [][]byte{nil, tag[:0], tag[:31], append(tag[:], 0)} {
		if m.Verify(short, []byte("a"), []byte("bc")) {
			t.Errorf("verifies a tag of %d bytes", len(short))
		}
	}
	if newMAC(t, []byte("kez")).Verify(tag[:], []byte("a"), []byte("bc")) {
		t.Error("verifies under another key")
	}
}

func TestMACKeySize(t *testing.T) {
	key := lockedCopy(t, make([]byte, 65))
	if _, err := NewMAC(key); err == nil {
		t.Error("takes a key of 65 bytes")
	}
	if panics(func() { key.Bytes() }) == nil {
		t.Error("leaves the key it did not take")
	}
}

func TestMACDestroy(t *testing.T) {
	key := lockedCopy(t, []byte("key"))
	m, err := NewMAC(key)
	if err != nil {
		t.Fatal(err)
	}
	if panics(func() { key.Bytes() }) == nil {
		t.Error("does not take the key over")
	}
	m.Destroy()
	m.Destroy()
	if v := panics(func() { m.Tag() }); v != "keyring: use of a destroyed MAC" {
		t.Errorf("Tag after Destroy panics with %v", v)
	}
	if panics(func() { m.RowTag("", nil, nil) }) == nil || panics(func() { m.Verify(nil) }) == nil {
		t.Error("works after Destroy")
	}
}

// TestStateForgets looks at what a message leaves in the state that the next
// one will use.
func TestStateForgets(t *testing.T) {
	m := newMAC(t, []byte("thirty-two bytes that are a key."))
	for _, n := range []int{0, 1, 31, 55, 63, 64, 65, 200} {
		s := newState()
		s.begin(m.pads.Bytes())
		s.textPart(string(bytes.Repeat([]byte{0xa5}, n)))
		s.part(bytes.Repeat([]byte{0xa5}, n))
		s.finish(m.pads.Bytes(), s.out[:])
		s.wipe()
		fresh, err := newState().hash.(interface{ MarshalBinary() ([]byte, error) }).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		used, err := s.hash.(interface{ MarshalBinary() ([]byte, error) }).MarshalBinary()
		if err != nil || !bytes.Equal(used, fresh) {
			t.Errorf("%d bytes: the hash is not reset: %x, %v", n, used, err)
		}
		if s.out != [32]byte{} || s.inner != [32]byte{} || bytes.Contains(s.text[:cap(s.text)], []byte{0xa5}) {
			t.Errorf("%d bytes: left over: %x %x %x", n, s.out, s.inner, s.text)
		}
	}
}

func TestMACConcurrently(t *testing.T) {
	a, b := newMAC(t, []byte("a")), newMAC(t, []byte("b"))
	wantA, wantB := hmacOf([]byte("a"), []byte("x")), hmacOf([]byte("b"), []byte("x"))
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 500 {
				if !a.Verify(wantA, []byte("x")) || !b.Verify(wantB, []byte("x")) {
					t.Error("does not verify")
					return
				}
			}
		})
	}
	users.Wait()
}

func BenchmarkMAC(b *testing.B) {
	key := make([]byte, 32)
	m := newMAC(b, key)
	row, value := []byte("4b825dc6-42cb-4eb9-a060-e54bf8d69288"), make([]byte, 300)
	b.Run("RowTag", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.RowTag("secret", row, value)
		}
	})
	b.Run("Tag", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Tag(row)
		}
	})
}
