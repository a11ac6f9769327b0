package locked

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
)

// newSigner returns the signer of a seed, until the test ends.
func newSigner(t testing.TB, seed []byte) *Signer {
	t.Helper()
	s, err := NewSigner(newBuffer(t, seed))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Destroy)
	return s
}

func TestSignerRFC8032(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc8032.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for block := range strings.SplitSeq(string(text), "\n\n") {
		v := map[string]string{}
		for line := range strings.Lines(block) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			v[key] = value
		}
		if v["name"] == "" {
			continue
		}
		n++
		t.Run(v["name"], func(t *testing.T) {
			s := newSigner(t, unhex(t, v["seed"]))
			if got := hex.EncodeToString(s.Public()); got != v["public"] {
				t.Errorf("public key\n got %s\nwant %s", got, v["public"])
			}
			signature, err := s.Sign(unhex(t, v["message"]))
			if got := hex.EncodeToString(signature); err != nil || got != v["signature"] {
				t.Errorf("signature\n got %s, %v\nwant %s", got, err, v["signature"])
			}
		})
	}
	if n != 5 {
		t.Errorf("%d vectors", n)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSignerAgainstStandardLibrary(t *testing.T) {
	for range 1000 {
		seed, message := random(ed25519.SeedSize), random(mathrand.IntN(300))
		std := ed25519.NewKeyFromSeed(seed)
		s := newSigner(t, seed)
		if !bytes.Equal(s.Public(), std.Public().(ed25519.PublicKey)) {
			t.Fatalf("seed %x: public key %x", seed, s.Public())
		}
		got, err := s.Sign(message)
		if err != nil || !bytes.Equal(got, ed25519.Sign(std, message)) {
			t.Fatalf("seed %x, message %x: signature %x, %v", seed, message, got, err)
		}
		s.Destroy()
	}
}

func TestGenerateSigner(t *testing.T) {
	a, err := GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Destroy()
	b, err := GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Destroy()
	if bytes.Equal(a.Public(), b.Public()) {
		t.Error("two generated keys are the same")
	}
	again := newSigner(t, bytes.Clone(a.Seed().Bytes()))
	if !bytes.Equal(a.Public(), again.Public()) {
		t.Error("the seed does not make the same key again")
	}
}

func TestSignerOwnsItsSeed(t *testing.T) {
	seed := newBuffer(t, random(ed25519.SeedSize))
	s, err := NewSigner(seed)
	if err != nil {
		t.Fatal(err)
	}
	if s.Seed() != seed {
		t.Error("Seed returns another buffer")
	}
	public := s.Public()
	public[0] ^= 1
	if bytes.Equal(public, s.Public()) {
		t.Error("Public returns memory of the signer's own")
	}
	s.Destroy()
	s.Destroy()
	mustPanic(t, func() { seed.Bytes() })
	if _, err := s.Sign(nil); !errors.Is(err, ErrDestroyed) {
		t.Errorf("Sign after Destroy: %v", err)
	}
	if len(s.Public()) != ed25519.PublicKeySize {
		t.Error("no public key after Destroy")
	}
}

func TestSignerSeedSize(t *testing.T) {
	for _, n := range []int{1, 31, 33, 64} {
		seed := newBuffer(t, make([]byte, n))
		if s, err := NewSigner(seed); err == nil {
			s.Destroy()
			t.Errorf("takes a seed of %d bytes", n)
		}
		mustPanic(t, func() { seed.Bytes() }) // it was taken over all the same
	}
}

func TestSignerConcurrently(t *testing.T) {
	seed, message := random(ed25519.SeedSize), []byte("message")
	want := ed25519.Sign(ed25519.NewKeyFromSeed(seed), message)
	s := newSigner(t, seed)
	var users sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		users.Go(func() {
			for i := 0; ; i++ {
				got, err := s.Sign(message)
				if i == 0 {
					started <- struct{}{}
				}
				if errors.Is(err, ErrDestroyed) {
					return
				}
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %x, %v", got, err)
					return
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	s.Destroy()
	users.Wait()
}

func BenchmarkSign(b *testing.B) {
	seed, message := random(ed25519.SeedSize), random(200)
	b.Run("locked", func(b *testing.B) {
		b.ReportAllocs()
		s := newSigner(b, seed)
		for b.Loop() {
			if _, err := s.Sign(message); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("std", func(b *testing.B) {
		b.ReportAllocs()
		key := ed25519.NewKeyFromSeed(seed)
		for b.Loop() {
			ed25519.Sign(key, message)
		}
	})
}
