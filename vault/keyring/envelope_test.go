package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// newKEK1 returns a new KEK, until the test ends.
func newKEK1(t testing.TB) *KEK {
	t.Helper()
	k, err := NewKEK(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Destroy)
	return k
}

// place is a label like those in use.
var place = Label{VaultID: "6f1c2b1e-0000-4000-8000-000000000001", Bucket: "secret", Row: "0f8fad5b-d9cb-469f-a165-70867728950e", Version: 3}

func TestEnvelope(t *testing.T) {
	k := newKEK1(t)
	for _, n := range []int{0, 1, 15, 16, 17, 100, 100_000} {
		plaintext := make([]byte, n)
		rand.Read(plaintext)
		e, err := k.Seal(place, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		if e.KEKVersion != 1 || len(e.DEKNonce) != 12 || len(e.WrappedDEK) != 48 || len(e.Nonce) != 12 || len(e.Body) != n+16 {
			t.Errorf("%d bytes: sealed as %+v", n, e)
		}
		got, err := k.Open(place, e)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%d bytes: opens as %d bytes, %v", n, len(got), err)
		}
	}
}

// TestOpenAll opens several envelopes together: each at its place, or none.
func TestOpenAll(t *testing.T) {
	k := newKEK1(t)
	var all []Found
	for i := range 20 {
		l := place
		l.Version = uint64(i)
		e, err := k.Seal(l, fmt.Appendf(nil, "content %d", i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Found{l, e})
	}
	got, err := k.OpenAll(all)
	if err != nil || len(got) != len(all) {
		t.Fatalf("%d contents, %v", len(got), err)
	}
	for i, content := range got {
		if want := fmt.Sprintf("content %d", i); string(content) != want {
			t.Errorf("%q in the place of %q", content, want)
		}
	}
	if got, err := k.OpenAll(nil); err != nil || len(got) != 0 {
		t.Errorf("none: %q, %v", got, err)
	}
	all[3].Envelope, all[4].Envelope = all[4].Envelope, all[3].Envelope
	if got, err := k.OpenAll(all); got != nil || !errors.Is(err, ErrOpen) {
		t.Errorf("with two exchanged: %q, %v", got, err)
	}
}

// TestEnvelopeByHand opens an envelope with the standard library and an AAD
// written out field by field.
func TestEnvelopeByHand(t *testing.T) {
	key := bytes.Repeat([]byte{7}, KEKSize)
	e, err := kekOf(t, 9, key).Seal(place, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	gcm := func(key []byte) cipher.AEAD {
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		return aead
	}
	aad := func(use string, fields ...any) []byte {
		b := []byte("cortex/1/" + use)
		for _, f := range fields {
			content, ok := f.([]byte)
			if !ok {
				var buf bytes.Buffer
				if err := binary.Write(&buf, binary.BigEndian, f); err != nil {
					t.Fatal(err)
				}
				content = buf.Bytes()
			}
			b = append(b, byte(len(content)>>24), byte(len(content)>>16), byte(len(content)>>8), byte(len(content)))
			b = append(b, content...)
		}
		return b
	}
	vault, bucket, row := []byte(place.VaultID), []byte(place.Bucket), []byte(place.Row)
	dek, err := gcm(key).Open(nil, e.DEKNonce, e.WrappedDEK, aad("dek", vault, bucket, row, uint64(3), uint32(9)))
	if err != nil || len(dek) != 32 {
		t.Fatalf("DEK of %d bytes, %v", len(dek), err)
	}
	got, err := gcm(dek).Open(nil, e.Nonce, e.Body, aad("body", vault, bucket, row, uint64(3)))
	if err != nil || string(got) != "content" {
		t.Errorf("content %q, %v", got, err)
	}
}

// TestEnvelopesShareNothing seals the same content often: no key, nonce or
// ciphertext may come twice.
func TestEnvelopesShareNothing(t *testing.T) {
	k := newKEK1(t)
	seen := map[string]string{}
	once := func(what string, b []byte) {
		if before, ok := seen[string(b)]; ok {
			t.Fatalf("%s of an envelope is also the %s of one: %x", what, before, b)
		}
		seen[string(b)] = what
	}
	for range 5000 {
		e, err := k.Seal(place, []byte("the same"))
		if err != nil {
			t.Fatal(err)
		}
		once("DEK nonce", e.DEKNonce)
		once("nonce", e.Nonce)
		once("wrapped DEK", e.WrappedDEK)
		once("body", e.Body)
		dek, err := k.aead.Open(nil, e.DEKNonce, e.WrappedDEK, place.appendDEKAAD(nil, 1))
		if err != nil {
			t.Fatal(err)
		}
		once("DEK", dek)
		sealed, err := k.SealBytes("test", place, nil)
		if err != nil {
			t.Fatal(err)
		}
		once("nonce under the KEK", sealed[:nonceSize])
	}
}

// TestEnvelopeFieldsDoNotOverlap appends to each field of an envelope, which
// come out of one allocation.
func TestEnvelopeFieldsDoNotOverlap(t *testing.T) {
	k := newKEK1(t)
	e, err := k.Seal(place, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range [][]byte{e.DEKNonce, e.Nonce, e.WrappedDEK, e.Body} {
		_ = append(f, "overwritten, were there room"...)
	}
	if got, err := k.Open(place, e); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestEnvelopeLeavesNoDEK looks through what a sealed envelope keeps in memory.
func TestEnvelopeLeavesNoDEK(t *testing.T) {
	k := newKEK1(t)
	e, err := k.Seal(place, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	dek, err := k.aead.Open(nil, e.DEKNonce, e.WrappedDEK, place.appendDEKAAD(nil, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range [][]byte{e.DEKNonce, e.Nonce, e.WrappedDEK, e.Body} {
		if bytes.Contains(f[:cap(f)], dek[:8]) {
			t.Error("the DEK lies behind a field of the envelope")
		}
	}
}

func TestLabelTooLong(t *testing.T) {
	k := newKEK1(t)
	long := strings.Repeat("x", maxField)
	if e, err := k.Seal(Label{Row: long}, nil); err != nil {
		t.Errorf("label of %d bytes: %v", len(long), err)
	} else if _, err := k.Open(Label{Row: long}, e); err != nil {
		t.Errorf("label of %d bytes: %v", len(long), err)
	}
	e, err := k.Seal(place, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []Label{{VaultID: long + "x"}, {Bucket: long + "x"}, {Row: long + "x"}} {
		if _, err := k.Seal(l, nil); err == nil {
			t.Error("Seal takes it")
		}
		if _, err := k.SealBytes("test", l, nil); err == nil {
			t.Error("SealBytes takes it")
		}
		if _, err := k.Open(l, e); !errors.Is(err, ErrOpen) {
			t.Errorf("Open: %v", err)
		}
		if _, err := k.OpenBytes("test", l, make([]byte, 100)); !errors.Is(err, ErrOpen) {
			t.Errorf("OpenBytes: %v", err)
		}
	}
}

// TestAssociatedDataIsUnambiguous makes it for labels and uses that a careless
// framing would confuse.
func TestAssociatedDataIsUnambiguous(t *testing.T) {
	seen := map[string]string{}
	texts := []string{"", "a", "b", "ab", "a\x00\x00\x00\x01b", "\x00\x00\x00\x00", "\x00\x00\x00\x01a"}
	for _, use := range []string{"dek", "body", "slot", "d", "dekb", "a-1"} {
		for _, v := range texts {
			for _, b := range texts {
				for _, r := range texts {
					for _, n := range []uint64{0, 1, 1 << 32} {
						l := Label{v, b, r, n}
						aad, name := string(l.appendAAD(nil, use)), fmt.Sprintf("%s %+v", use, l)
						if before, ok := seen[aad]; ok {
							t.Fatalf("%s and %s: %x", before, name, aad)
						}
						seen[aad] = name
					}
				}
			}
		}
	}
}

// FuzzOpen hands over envelopes as a file could hold them, good ones of other
// places among them. There is nothing to parse, but nothing may panic either,
// and nothing may open.
func FuzzOpen(f *testing.F) {
	var k *KEK
	for _, v := range vectors(f) {
		if v["kind"] == "envelope" && v["kek-version"] == "1" {
			k = v.kek(f)
			e := v.envelope(f)
			f.Add(e.KEKVersion, e.DEKNonce, e.WrappedDEK, e.Nonce, e.Body)
		}
	}
	f.Fuzz(func(t *testing.T, version uint32, dekNonce, wrapped, nonce, body []byte) {
		if got, err := k.Open(place, Envelope{version, dekNonce, wrapped, nonce, body}); got != nil || !errors.Is(err, ErrOpen) {
			t.Errorf("opens as %q, %v", got, err)
		}
		if got, err := k.OpenBytes("test", place, slices.Concat(nonce, body)); got != nil || !errors.Is(err, ErrOpen) {
			t.Errorf("OpenBytes: %q, %v", got, err)
		}
	})
}

func BenchmarkEnvelope(b *testing.B) {
	k := newKEK1(b)
	for _, n := range []int{32, 4096} {
		plaintext := make([]byte, n)
		b.Run(fmt.Sprintf("Seal/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Seal(place, plaintext); err != nil {
					b.Fatal(err)
				}
			}
		})
		e, err := k.Seal(place, plaintext)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("Open/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Open(place, e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
