package keyring

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// cheap is the least a derivation may cost.
var cheap = Params{Memory: 8 << 10, Time: 1, Threads: 1}

func TestSlot(t *testing.T) {
	k := newKEK1(t)
	s, err := k.SealSlot(t.Context(), "vault", opaque.New([]byte("password")), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.ID) != 32 || s.Kind != "password" || s.VaultID != "vault" || s.KEKVersion != 1 || s.Params != cheap ||
		len(s.Salt) != 16 || len(s.Nonce) != 12 || len(s.Wrapped) != 48 {
		t.Errorf("sealed as %+v", s)
	}
	again, err := OpenSlot(t.Context(), s, opaque.New([]byte("password")))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Destroy()
	if !bytes.Equal(again.key.Bytes(), k.key.Bytes()) || again.Version() != k.Version() {
		t.Error("opens as another KEK")
	}
	e, err := k.Seal(place, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(place, e); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestSlotsShareNothing makes two slots for the same KEK and password.
func TestSlotsShareNothing(t *testing.T) {
	k := newKEK1(t)
	a, err := k.SealSlot(t.Context(), "vault", opaque.New([]byte("password")), cheap)
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.SealSlot(t.Context(), "vault", opaque.New([]byte("password")), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if a.ID == b.ID || bytes.Equal(a.Salt, b.Salt) || bytes.Equal(a.Nonce, b.Nonce) || bytes.Equal(a.Wrapped, b.Wrapped) {
		t.Errorf("%+v\n%+v", a, b)
	}
	mixed := a
	mixed.Salt, mixed.Nonce, mixed.Wrapped = b.Salt, b.Nonce, b.Wrapped
	if _, err := OpenSlot(t.Context(), mixed, opaque.New([]byte("password"))); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("slot under the id of another: %v", err)
	}
}

func TestSealSlotRefuses(t *testing.T) {
	k := newKEK1(t)
	for _, p := range []Params{{}, {Memory: 8<<10 - 1, Time: 1, Threads: 1}, {Memory: 2<<20 + 1, Time: 1, Threads: 1}, {Memory: 8 << 10, Time: 17, Threads: 1}} {
		if _, err := k.SealSlot(t.Context(), "vault", opaque.Bytes{}, p); !errors.Is(err, ErrParams) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if _, err := k.SealSlot(t.Context(), string(make([]byte, maxField+1)), opaque.Bytes{}, cheap); err == nil {
		t.Error("takes a vault id of 64 KiB")
	}
	s, err := k.SealSlot(t.Context(), "vault", opaque.Bytes{}, cheap)
	if err != nil {
		t.Fatal(err)
	}
	s.VaultID = string(make([]byte, maxField+1))
	if _, err := OpenSlot(t.Context(), s, opaque.Bytes{}); !errors.Is(err, ErrSlot) {
		t.Errorf("opening with a vault id of 64 KiB: %v", err)
	}
}

// TestHostileSlotCostsNothing opens slots that ask for all the memory there is.
func TestHostileSlotCostsNothing(t *testing.T) {
	k := newKEK1(t)
	s, err := k.SealSlot(t.Context(), "vault", opaque.Bytes{}, cheap)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, p := range []Params{{1<<32 - 1, 1, 1}, {2<<20 + 1, 1, 1}, {8 << 10, 1<<32 - 1, 1}, {8 << 10, 1, 255}, {0, 0, 0}} {
		s.Params = p
		if _, err := OpenSlot(t.Context(), s, opaque.Bytes{}); !errors.Is(err, ErrParams) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("refusing took %d bytes", n)
	}
}

// TestDerivationsWaitForEachOther would show under the race detector, and in
// the memory they take together.
func TestDerivationsWaitForEachOther(t *testing.T) {
	k := newKEK1(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := k.SealSlot(t.Context(), "vault", opaque.New([]byte("password")), cheap)
			if err != nil {
				t.Error(err)
				return
			}
			again, err := OpenSlot(t.Context(), s, opaque.New([]byte("password")))
			if err != nil {
				t.Error(err)
				return
			}
			again.Destroy()
		})
	}
	all.Wait()
}

// TestDerivationReturnsItsMemory looks at what the process keeps of it.
func TestDerivationReturnsItsMemory(t *testing.T) {
	held := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapSys - m.HeapReleased
	}
	k := newKEK1(t)
	p := Params{Memory: 64 << 10, Time: 1, Threads: 1}
	before := held()
	if _, err := k.SealSlot(t.Context(), "vault", opaque.Bytes{}, p); err != nil {
		t.Fatal(err)
	}
	if after := held(); after > before+16<<20 {
		t.Errorf("holds %d bytes more", after-before)
	}
}

func BenchmarkOpenSlot(b *testing.B) {
	k := newKEK1(b)
	s, err := k.SealSlot(b.Context(), "vault", opaque.Bytes{}, Low)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		again, err := OpenSlot(b.Context(), s, opaque.Bytes{})
		if err != nil {
			b.Fatal(err)
		}
		again.Destroy()
	}
}
