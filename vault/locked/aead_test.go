package locked

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
)

// newAEADs returns an AEAD of this package and one of the standard library
// under the same random key.
func newAEADs(t testing.TB) (*AEAD, cipher.AEAD) {
	t.Helper()
	key := make([]byte, KeySize)
	rand.Read(key)
	a, err := NewAEAD(newBuffer(t, key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Destroy)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	std, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return a, std
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestAEADAgainstStandardLibrary(t *testing.T) {
	for range 50 {
		a, std := newAEADs(t)
		for range 20 {
			nonce, plaintext, aad := random(12), random(mathrand.IntN(700)), random(mathrand.IntN(100))
			prefix := random(mathrand.IntN(20))
			want := std.Seal(slices.Clone(prefix), nonce, plaintext, aad)
			got := a.Seal(slices.Clone(prefix), nonce, plaintext, aad)
			if !bytes.Equal(got, want) {
				t.Fatalf("Seal(%x, %x, %x, %x)\n got %x\nwant %x", prefix, nonce, plaintext, aad, got, want)
			}
			opened, err := a.Open(slices.Clone(prefix), nonce, want[len(prefix):], aad)
			if err != nil || !bytes.Equal(opened, append(slices.Clone(prefix), plaintext...)) {
				t.Fatalf("Open: %x, %v", opened, err)
			}
		}
	}
}

func TestAEADInPlace(t *testing.T) {
	a, _ := newAEADs(t)
	buf := append(make([]byte, 0, 100), "message"...)
	sealed := a.Seal(buf[:0], make([]byte, 12), buf, nil)
	if &sealed[0] != &buf[0] {
		t.Error("Seal allocates although there is room")
	}
	if opened, err := a.Open(sealed[:0], make([]byte, 12), sealed, nil); err != nil || string(opened) != "message" {
		t.Errorf("Open in place: %q, %v", opened, err)
	}
}

func TestAEADRefuses(t *testing.T) {
	a, _ := newAEADs(t)
	nonce, aad := random(12), random(5)
	sealed := a.Seal(nil, nonce, []byte("message"), aad)
	for i := range sealed {
		bad := slices.Clone(sealed)
		bad[i] ^= 1
		if got, err := a.Open(nil, nonce, bad, aad); err == nil {
			t.Errorf("byte %d flipped: opens as %q", i, got)
		}
	}
	for n := range sealed {
		if got, err := a.Open(nil, nonce, sealed[:n], aad); err == nil {
			t.Errorf("cut to %d bytes: opens as %q", n, got)
		}
	}
	if _, err := a.Open(nil, random(12), sealed, aad); err == nil {
		t.Error("opens under another nonce")
	}
	if _, err := a.Open(nil, nonce, sealed, aad[1:]); err == nil {
		t.Error("opens with other associated data")
	}
	mustPanic(t, func() { a.Seal(nil, nonce[1:], nil, nil) })
	mustPanic(t, func() { a.Open(nil, nonce[1:], sealed, nil) })
	// A panic must not have left a lock or a blocked signal behind.
	if _, err := a.Open(nil, nonce, sealed, aad); err != nil {
		t.Errorf("after panics: %v", err)
	}
	if a.NonceSize() != 12 || a.Overhead() != 16 {
		t.Errorf("nonces of %d bytes, overhead of %d", a.NonceSize(), a.Overhead())
	}
}

func TestAEADKeySize(t *testing.T) {
	for _, n := range []int{1, 16, 24, 31, 33, 64} {
		if a, err := NewAEAD(newBuffer(t, make([]byte, n))); err == nil {
			a.Destroy()
			t.Errorf("takes a key of %d bytes", n)
		}
	}
}

// TestAEADKeepsNoKey destroys and overwrites the key while the AEAD lives on.
func TestAEADKeepsNoKey(t *testing.T) {
	key := newBuffer(t, random(KeySize))
	a, err := NewAEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Destroy()
	sealed := a.Seal(nil, make([]byte, 12), []byte("message"), nil)
	clear(key.Bytes())
	key.Destroy()
	if got, err := a.Open(nil, make([]byte, 12), sealed, nil); err != nil || string(got) != "message" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAEADDestroy(t *testing.T) {
	a, _ := newAEADs(t)
	sealed := a.Seal(nil, make([]byte, 12), nil, nil)
	a.Destroy()
	a.Destroy()
	if _, err := a.Open(nil, make([]byte, 12), sealed, nil); !errors.Is(err, ErrDestroyed) {
		t.Errorf("Open after Destroy: %v", err)
	}
	if v := mustPanic(t, func() { a.Seal(nil, make([]byte, 12), nil, nil) }); v != "locked: use of a destroyed AEAD" {
		t.Errorf("Seal after Destroy panics with %v", v)
	}
}

// TestAEADDestroyWhileInUse would end the process if a page went away under
// somebody's hands.
func TestAEADDestroyWhileInUse(t *testing.T) {
	for range 20 {
		a, _ := newAEADs(t)
		sealed := a.Seal(nil, make([]byte, 12), make([]byte, 1000), nil)
		var users sync.WaitGroup
		started := make(chan struct{}, 4)
		for range 4 {
			users.Go(func() {
				for i := 0; ; i++ {
					_, err := a.Open(nil, make([]byte, 12), sealed, nil)
					if i == 0 {
						started <- struct{}{}
					}
					if errors.Is(err, ErrDestroyed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		<-started
		a.Destroy()
		users.Wait()
	}
}

// TestWithAEADWipes looks at what the standard library made from a key when
// WithAEAD is done with it.
func TestWithAEADWipes(t *testing.T) {
	var object []byte
	failure := errors.New("mine")
	err := WithAEAD(random(KeySize), func(gcm cipher.AEAD) error {
		object = memory(gcm)
		if bytes.Count(object, []byte{0}) > len(object)/2 {
			t.Errorf("this is not an expanded key: %x", object)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("returns %v", err)
	}
	if !bytes.Equal(object, make([]byte, len(object))) {
		t.Errorf("not wiped: %x", object)
	}
	mustPanic(t, func() {
		WithAEAD(random(KeySize), func(gcm cipher.AEAD) error {
			object = memory(gcm)
			panic("in between")
		})
	})
	if !bytes.Equal(object, make([]byte, len(object))) {
		t.Errorf("not wiped after a panic: %x", object)
	}
	for _, n := range []int{0, 16, 31, 33} {
		if err := WithAEAD(make([]byte, n), func(cipher.AEAD) error { return nil }); err == nil {
			t.Errorf("takes a key of %d bytes", n)
		}
	}
}

func TestPointerFree(t *testing.T) {
	type pure struct {
		_ [3]struct{ _ uint8 }
		_ int
		_ bool
	}
	for _, test := range []struct {
		t    reflect.Type
		want bool
	}{
		{reflect.TypeFor[pure](), true},
		{reflect.TypeFor[[4]uint64](), true},
		{reflect.TypeFor[string](), false},
		{reflect.TypeFor[[]byte](), false},
		{reflect.TypeFor[struct {
			pure
			p *int
		}](), false},
		{reflect.TypeFor[[2]map[int]int](), false},
		{reflect.TypeFor[func()](), false},
		{reflect.TypeFor[any](), false},
		{reflect.TypeFor[uintptr](), false},
		{reflect.TypeFor[chan int](), false},
	} {
		if got := pointerFree(test.t); got != test.want {
			t.Errorf("%s: %t", test.t, got)
		}
	}
	for _, v := range []any{new(string), new(struct{}), 5, struct{}{}, []byte{}} {
		if plain(v) {
			t.Errorf("%T can be copied as bytes", v)
		}
	}
}

func BenchmarkAEAD(b *testing.B) {
	a, std := newAEADs(b)
	for name, aead := range map[string]cipher.AEAD{"locked": a, "std": std} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			nonce, plaintext := make([]byte, 12), make([]byte, 32)
			dst := make([]byte, 0, 48)
			for b.Loop() {
				aead.Seal(dst, nonce, plaintext, nil)
			}
		})
	}
}
