package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/vault/locked/lockedtest"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestMain(m *testing.M) {
	lockedtest.Main(map[string]func(){"unseal": unseal, "interrupted": interrupted})
	os.Exit(m.Run())
}

// sealedVault is what the child of TestKeysLieInLockedMemoryOnly is given.
type sealedVault struct {
	Slot     Slot
	Password []byte
	Envelope Envelope
}

// TestKeysLieInLockedMemoryOnly starts a process that unseals a vault and uses
// its keys, and looks for them in all of its memory. It does not look for the
// key of an envelope: that is wiped, but no better guarded than the content.
func TestKeysLieInLockedMemoryOnly(t *testing.T) {
	k := newKEK1(t)
	password := []byte("correct horse battery staple")
	slot, err := k.SealSlot(t.Context(), "vault", opaque.New(password), cheap)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := k.Seal(place, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	slotKey, err := cheap.derive(t.Context(), opaque.New(password), slot.Salt)
	if err != nil {
		t.Fatal(err)
	}
	needles := map[string][]byte{"KEK": k.key.Bytes(), "slot key": slotKey}
	addMAC(t, needles, "row", k)
	addMAC(t, needles, "audit", k)

	var input bytes.Buffer
	if err := gob.NewEncoder(&input).Encode(sealedVault{slot, password, envelope}); err != nil {
		t.Fatal(err)
	}
	pid, canary := lockedtest.Start(t, "unseal", input.Bytes())
	needles[lockedtest.Canary] = canary
	found := lockedtest.Found(t, pid, needles)
	unreadable := slices.ContainsFunc(lockedtest.Mappings(t, pid), lockedtest.Mapping.Secret)
	for _, name := range []string{"KEK", "row inner pad", "audit outer pad"} {
		if (found[name] > 0) == unreadable {
			t.Errorf("%s found %d times in memory that can be read", name, found[name])
		}
	}
	for _, name := range []string{"slot key", "row key"} {
		if found[name] > 0 {
			t.Errorf("%s has not been wiped", name)
		}
	}
}

// addMAC adds the key that k derives for a use, and what HMAC makes of it.
func addMAC(t *testing.T, needles map[string][]byte, use string, k *KEK) {
	t.Helper()
	key, err := k.Derive(use)
	if err != nil {
		t.Fatal(err)
	}
	defer key.Destroy()
	needles[use+" key"] = bytes.Clone(key.Bytes())
	for name, c := range map[string]byte{"inner": 0x36, "outer": 0x5c} {
		pad := bytes.Clone(key.Bytes())
		for i := range pad {
			pad[i] ^= c
		}
		needles[fmt.Sprintf("%s %s pad", use, name)] = pad
	}
}

// held are the keys of the child, which must not become garbage.
var held struct {
	kek    *KEK
	macs   []*MAC
	canary []byte
}

// unseal is a child's part: it does what a vault does when it starts, and reads
// and writes for a while.
func unseal() {
	var in sealedVault
	check(gob.NewDecoder(os.Stdin).Decode(&in))
	var err error
	held.kek, err = OpenSlot(context.Background(), in.Slot, opaque.New(in.Password))
	check(err)
	for _, use := range []string{"row", "audit"} {
		key, err := held.kek.Derive(use)
		check(err)
		m, err := NewMAC(key)
		check(err)
		held.macs = append(held.macs, m)
	}
	held.canary = make([]byte, 32)
	rand.Read(held.canary)
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() { use(in.Envelope) })
	}
	users.Wait()
	lockedtest.Wait(held.canary)
}

// use reads and writes as a vault does.
func use(e Envelope) {
	for i := range 50 {
		_, err := held.kek.Open(place, e)
		check(err)
		_, err = held.kek.Seal(place, make([]byte, 100*i))
		check(err)
		sealed, err := held.kek.SealBytes("test", place, make([]byte, 32))
		check(err)
		_, err = held.kek.OpenBytes("test", place, sealed)
		check(err)
		for _, m := range held.macs {
			m.RowTag("bucket", []byte("key"), make([]byte, 10*i))
			m.Tag(make([]byte, 32))
		}
		if i%10 == 0 {
			runtime.GC()
		}
	}
}

// check ends the child if something failed.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
