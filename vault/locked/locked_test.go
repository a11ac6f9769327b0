package locked

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// newBuffer returns a buffer that holds content, until the test ends.
func newBuffer(t testing.TB, content []byte) *Buffer {
	t.Helper()
	b, err := NewBuffer(len(content))
	if err != nil {
		t.Fatal(err)
	}
	copy(b.Bytes(), content)
	t.Cleanup(b.Destroy)
	return b
}

// mustPanic calls fn and returns what it panicked with.
func mustPanic(t *testing.T, fn func()) (v any) {
	t.Helper()
	defer func() {
		if v = recover(); v == nil {
			t.Error("no panic")
		}
	}()
	fn()
	return nil
}

func TestBuffer(t *testing.T) {
	for _, n := range []int{1, 32, 4095, 4096, 4097, 100_000} {
		b, err := NewBuffer(n)
		if err != nil {
			t.Fatal(err)
		}
		content := b.Bytes()
		if len(content) != n || cap(content) != n || !bytes.Equal(content, make([]byte, n)) {
			t.Errorf("%d bytes: length %d, capacity %d, or not zero", n, len(content), cap(content))
		}
		for i := range content {
			content[i] = byte(i)
		}
		if again := b.Bytes(); unsafe.SliceData(again) != unsafe.SliceData(content) || again[n-1] != byte(n-1) {
			t.Errorf("%d bytes: the memory has moved", n)
		}
		b.Destroy()
		b.Destroy()
		if v := mustPanic(t, func() { b.Bytes() }); v != "locked: use of a destroyed buffer" {
			t.Errorf("panics with %v", v)
		}
	}
	(*Buffer)(nil).Destroy()
}

func TestBufferSize(t *testing.T) {
	for _, n := range []int{0, -1} {
		if b, err := NewBuffer(n); err == nil {
			t.Errorf("NewBuffer(%d) returns %d bytes", n, len(b.Bytes()))
		}
	}
	if _, err := NewBuffer(1 << 62); err == nil {
		t.Error("NewBuffer returns more memory than there is")
	}
}

// TestNoPrinting puts keys where they could be printed. Nothing may come out,
// not even by way of reflection from unexported fields.
func TestNoPrinting(t *testing.T) {
	key := newBuffer(t, []byte("sixteen and more bytes to be not"))
	aead, err := NewAEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	defer aead.Destroy()
	signer, err := NewSigner(newBuffer(t, key.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"buffer":            key,
		"buffer by value":   reflected{key}.value(),
		"AEAD":              aead,
		"signer":            signer,
		"unexported fields": struct{ b, a, s any }{key, aead, signer},
		"exported fields":   struct{ B, A, S any }{key, aead, signer},
		"list":              []any{key, aead, signer},
	} {
		var out strings.Builder
		for _, verb := range "vsxXqdbcoU" {
			for _, flag := range []string{"", "+", "#", " "} {
				fmt.Fprintf(&out, "%"+flag+string(verb)+"\n", v)
			}
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", v)
		text, err := json.Marshal(v)
		fmt.Fprintf(&out, "%s %v\n", text, err)
		var binary bytes.Buffer
		fmt.Fprintf(&out, "%v\n", gob.NewEncoder(&binary).Encode(v))
		out.Write(binary.Bytes())
		for _, leak := range []string{"sixteen", "73697874", "73 69 78 74", "115 105 120", "115,105,120", "0x73, 0x69", "c2l4dGVl"} {
			if strings.Contains(strings.ToLower(out.String()), strings.ToLower(leak)) {
				t.Errorf("%s shows as %q", name, leak)
			}
		}
	}
	for _, v := range []any{key, aead, signer} {
		if got := fmt.Sprintf("%v %+v %#v %s", v, v, v, v); got != "[opaque] [opaque] [opaque] [opaque]" {
			t.Errorf("%T prints as %s", v, got)
		}
	}
}

// reflected hides a buffer from package fmt's method calls.
type reflected struct{ b *Buffer }

func (r reflected) value() any { return struct{ hidden **Buffer }{&r.b} }

func TestConcurrentDestroy(t *testing.T) {
	b, err := NewBuffer(32)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(b.Destroy)
	}
	group.Wait()
}

func TestWipe(t *testing.T) {
	b := []byte("secret")
	Wipe(b[:3])
	if string(b) != "\x00\x00\x00ret" {
		t.Errorf("got %q", b)
	}
	Wipe(nil)
}

func TestScrubbed(t *testing.T) {
	n := 0
	Scrubbed(func() { n++ })
	if n != 1 {
		t.Errorf("ran %d times", n)
	}
	if v := mustPanic(t, func() { Scrubbed(func() { panic("mine") }) }); v != "mine" {
		t.Errorf("panics with %v", v)
	}
	Scrubbed(func() { Scrubbed(func() { n++ }) })
	if n != 2 {
		t.Errorf("nested, ran %d times", n)
	}
}

// stain is where a function left something on the stack.
var stain uintptr

//go:noinline
func leave() {
	var secret [64]byte
	for i := range secret {
		secret[i] = 0xa5
	}
	stain = uintptr(unsafe.Pointer(&secret))
	Wipe(secret[:0])
}

// left counts the bytes of it that are still there, reaching for them from a
// variable of its own.
//
//go:nocheckptr
func left() int {
	var n int
	here := unsafe.Pointer(&n)
	for i := range 64 {
		if *(*byte)(unsafe.Add(here, int(stain-uintptr(here))+i)) == 0xa5 {
			n++
		}
	}
	return n
}

func TestScrubbedOverwritesTheStack(t *testing.T) {
	Scrubbed(func() {}) // so that the stack is as large as it will be
	leave()
	if left() == 0 {
		t.Fatal("nothing is left even without scrubbing: the test proves nothing")
	}
	Scrubbed(leave)
	if n := left(); n > 0 {
		t.Errorf("%d bytes are left on the stack", n)
	}
	func() {
		defer sweep()
		leave()
	}()
	if n := left(); n > 0 {
		t.Errorf("%d bytes are left on the stack after a sweep", n)
	}
}
