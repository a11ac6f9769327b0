package keyring

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestNewKEK(t *testing.T) {
	a, b := newKEK1(t), newKEK1(t)
	if bytes.Equal(a.key.Bytes(), b.key.Bytes()) || bytes.Equal(a.key.Bytes(), make([]byte, KEKSize)) {
		t.Error("new KEKs are not random")
	}
	if a.Version() != 1 {
		t.Errorf("version %d", a.Version())
	}
	e, err := a.Seal(place, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(place, e); !errors.Is(err, ErrOpen) {
		t.Errorf("another KEK: %v", err)
	}
}

func TestSealBytes(t *testing.T) {
	k := newKEK1(t)
	sealed, err := k.SealBytes("audit-key", place, []byte("a key"))
	if err != nil || len(sealed) != nonceSize+5+overhead {
		t.Fatalf("%d bytes, %v", len(sealed), err)
	}
	if got, err := k.OpenBytes("audit-key", place, sealed); err != nil || string(got) != "a key" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, use := range []string{"", "slot", "dek", "body", "Audit", "audit key", "audit/key", "audit_key", "é", "x\x00", strings.Repeat("x", 33)} {
		if panics(func() { k.SealBytes(use, place, nil) }) == nil {
			t.Errorf("SealBytes takes the use %q", use)
		}
		if panics(func() { k.OpenBytes(use, place, sealed) }) == nil {
			t.Errorf("OpenBytes takes the use %q", use)
		}
	}
}

// panics returns what fn panics with, nil if it does not.
func panics(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

func TestDerive(t *testing.T) {
	k := newKEK1(t)
	for _, label := range []string{"audit", "pepper", "index", "row", "x-9"} {
		got, err := k.Derive(label)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hkdf.Expand(sha256.New, k.key.Bytes(), "cortex/1/"+label, 32)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %x, want %x", label, got.Bytes(), want)
		}
		got.Destroy()
	}
	for _, label := range []string{"", "Row", "a b", "a/b", strings.Repeat("x", 33)} {
		if panics(func() { k.Derive(label) }) == nil {
			t.Errorf("Derive takes the label %q", label)
		}
	}
}

func TestKEKDestroy(t *testing.T) {
	k := newKEK1(t)
	e, err := k.Seal(place, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := k.SealBytes("test", place, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := k.key
	k.Destroy()
	k.Destroy()
	for what, fn := range map[string]func() error{
		"Seal":      func() error { _, err := k.Seal(place, nil); return err },
		"Open":      func() error { _, err := k.Open(place, e); return err },
		"SealBytes": func() error { _, err := k.SealBytes("test", place, nil); return err },
		"OpenBytes": func() error { _, err := k.OpenBytes("test", place, sealed); return err },
		"Derive":    func() error { _, err := k.Derive("row"); return err },
		"SealSlot":  func() error { _, err := k.SealSlot(t.Context(), "v", opaque.New([]byte("p")), cheap); return err },
	} {
		if err := fn(); !errors.Is(err, ErrDestroyed) {
			t.Errorf("%s after Destroy: %v", what, err)
		}
	}
	if panics(func() { key.Bytes() }) == nil {
		t.Error("the key is still there")
	}
	if k.Version() != 1 {
		t.Error("the version is not")
	}
}

// TestKEKDestroyWhileInUse would end the process if the key went away under
// somebody's hands.
func TestKEKDestroyWhileInUse(t *testing.T) {
	k := newKEK1(t)
	e, err := k.Seal(place, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{}, 4)
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for i := 0; ; i++ {
				got, err := k.Open(place, e)
				if i == 0 {
					started <- struct{}{}
				}
				if errors.Is(err, ErrDestroyed) {
					return
				}
				if err != nil || string(got) != "content" {
					t.Errorf("got %q, %v", got, err)
					return
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	k.Destroy()
	users.Wait()
}

func TestNoPrinting(t *testing.T) {
	key := []byte("thirty-two bytes that are a key.")
	k := kekOf(t, 12, key)
	m, err := NewMAC(lockedCopy(t, key))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Destroy()
	type holder struct {
		K *KEK
		m *MAC
	}
	var out strings.Builder
	for _, v := range []any{k, m, holder{k, m}, &holder{k, m}, []any{k, m}} {
		for _, verb := range "vsxXqdo" {
			fmt.Fprintf(&out, "%"+string(verb)+" %+"+string(verb)+" %#"+string(verb)+"\n", v, v, v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", v)
		text, err := json.Marshal(v)
		fmt.Fprintf(&out, "%s %v\n", text, err)
	}
	for _, leak := range []string{"thirty", "746869", "116 104 105", "116,104,105", "dGhpcn", "0x74, 0x68"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("shows as %q: %s", leak, &out)
		}
	}
	if got := fmt.Sprintf("%v %s %+v %v", k, k, k, m); got != "[KEK 12] [KEK 12] [KEK 12] [opaque]" {
		t.Errorf("prints as %s", got)
	}
}
