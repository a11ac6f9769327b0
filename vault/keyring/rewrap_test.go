package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// sealedBy seals some envelopes for places of their own.
func sealedBy(t *testing.T, k *KEK, n int) (all []Found, wraps []Wrap) {
	t.Helper()
	for i := range n {
		l := place
		l.Row = fmt.Sprint("row ", i)
		e, err := k.Seal(l, []byte(l.Row))
		if err != nil {
			t.Fatal(err)
		}
		all, wraps = append(all, Found{l, e}), append(wraps, Wrap{l, e.Wrap()})
	}
	return all, wraps
}

// An envelope opens with its own wrap, and after Rewrap with the new one under the
// other KEK, and not the other way round.
func TestRewrap(t *testing.T) {
	k := newKEK1(t)
	next, err := NewKEK(2)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Destroy()
	all, wraps := sealedBy(t, k, 5)
	now, err := k.Rewrap(wraps, next)
	if err != nil || len(now) != len(all) {
		t.Fatalf("%d wraps, %v", len(now), err)
	}
	seen := map[string]bool{}
	for i, f := range all {
		if len(now[i]) != WrapSize || WrapVersion(now[i]) != 2 || WrapVersion(wraps[i].Bytes) != 1 {
			t.Errorf("wrap of %d bytes under %d", len(now[i]), WrapVersion(now[i]))
		}
		seen[string(now[i][4:16])] = true
		body := Envelope{Nonce: f.Envelope.Nonce, Body: f.Envelope.Body}
		for wrap, kek := range map[string]*KEK{string(wraps[i].Bytes): k, string(now[i]): next} {
			e, err := body.WithWrap([]byte(wrap))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := kek.Open(f.Label, e); err != nil || string(got) != f.Label.Row {
				t.Errorf("got %q, %v", got, err)
			}
			if !bytes.Equal(e.Wrap(), []byte(wrap)) {
				t.Error("another wrap comes out than went in")
			}
		}
	}
	if len(seen) != len(all) {
		t.Errorf("%d nonces for %d wraps", len(seen), len(all))
	}
}

// What was not wrapped in its place by the KEK is not wrapped anew; what lies beside
// it is.
func TestRewrapRefuses(t *testing.T) {
	k := newKEK1(t)
	next, err := NewKEK(2)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Destroy()
	for name, spoil := range map[string]func(w *Wrap){
		"of another place":   func(w *Wrap) { w.Label.Row = "another" },
		"of another version": func(w *Wrap) { w.Label.Version++ },
		"changed":            func(w *Wrap) { w.Bytes[30] ^= 1 },
		"under another KEK":  func(w *Wrap) { w.Bytes[3] = 2 },
		"cut short":          func(w *Wrap) { w.Bytes = w.Bytes[:63] },
		"empty":              func(w *Wrap) { w.Bytes = nil },
	} {
		_, wraps := sealedBy(t, k, 3)
		spoil(&wraps[1])
		now, err := k.Rewrap(wraps, next)
		if err != nil || now[0] == nil || now[1] != nil || now[2] == nil {
			t.Errorf("%s: %x, %v", name, now, err)
		}
	}
	for _, n := range []int{0, 63, 65} {
		if _, err := (Envelope{}).WithWrap(make([]byte, n)); !errors.Is(err, ErrOpen) {
			t.Errorf("a wrap of %d bytes: %v", n, err)
		}
	}
	k.Destroy()
	if _, err := k.Rewrap(nil, next); !errors.Is(err, ErrDestroyed) {
		t.Errorf("destroyed: %v", err)
	}
}
