package locked

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"filippo.io/edwards25519"
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/locked/lockedtest"
)

// TestKeysLieInLockedMemoryOnly starts a process that has used keys, and looks
// for them, and for everything computed from them, in all of its memory.
func TestKeysLieInLockedMemoryOnly(t *testing.T) {
	for _, part := range []string{"hold", "hold, no secret", "destroy"} {
		t.Run(part, func(t *testing.T) {
			input := make([]byte, KeySize+32)
			rand.Read(input)
			pid, canary := lockedtest.Start(t, part, input)
			found := lockedtest.Found(t, pid, needles(t, input, canary))
			unreadable := slices.ContainsFunc(lockedtest.Mappings(t, pid), lockedtest.Mapping.Secret)
			holds := part != "destroy" && !unreadable
			for _, name := range []string{"key", "seed", "Montgomery form", "prefix", "AEAD at 32"} {
				if (found[name] > 0) != holds {
					t.Errorf("%s found %d times", name, found[name])
				}
			}
		})
	}
}

// needles returns what must not be found: the keys, all that is computed from
// them, and what must be, the canary.
func needles(t *testing.T, input, canary []byte) map[string][]byte {
	t.Helper()
	key, seed := input[:KeySize], input[KeySize:]
	expanded := sha512.Sum512(seed)
	scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(expanded[:32])
	if err != nil {
		t.Fatal(err)
	}
	clamped := bytes.Clone(expanded[:32])
	clamped[0] &= 248
	clamped[31] = clamped[31]&63 | 64
	list := map[string][]byte{
		lockedtest.Canary:  canary,
		"key":              key,
		"seed":             seed,
		"hashed seed":      expanded[:32],
		"prefix":           expanded[32:],
		"clamped scalar":   clamped,
		"canonical scalar": scalar.Bytes(),
		"Montgomery form":  unsafe.Slice((*byte)(unsafe.Pointer(scalar)), unsafe.Sizeof(*scalar)),
	}
	err = WithAEAD(key, func(gcm cipher.AEAD) error {
		object := memory(gcm)
		for at := 0; at+32 <= len(object); at += 16 {
			if piece := object[at : at+32]; bytes.Count(piece, []byte{0}) < 8 {
				list[fmt.Sprintf("AEAD at %d", at)] = bytes.Clone(piece)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Of counters that are XORed with the first round key, that key is the
	// difference. These are those of the all-zero nonce.
	for n := range byte(8) {
		var piece [32]byte
		subtle.XORBytes(piece[:16], key[:16], counter(2+n))
		subtle.XORBytes(piece[16:], key[:16], counter(3+n))
		list[fmt.Sprintf("counters %d and %d", 2+n, 3+n)] = piece[:]
	}
	if list["AEAD at 32"] == nil || len(list) < 30 {
		t.Fatalf("the expanded AES key is not where this test looks for it: %d needles", len(list))
	}
	return list
}

// counter returns a counter block of GCM with the all-zero nonce.
func counter(n byte) []byte { return append(make([]byte, 15), n) }

// held are the keys of the child, which must not become garbage.
var held struct {
	key    *Buffer
	aead   *AEAD
	signer *Signer
	canary []byte
}

// hold is a child's part: it reads two keys, and uses them from several
// goroutines while the garbage collector runs. It returns the canary. The keys
// are mapped inside where.
func hold(where func(func())) []byte {
	held.canary = make([]byte, 32)
	rand.Read(held.canary)
	where(readKeys)
	exercise(held.aead, held.signer)
	return held.canary
}

// destroy is hold for keys that are then destroyed.
func destroy() []byte {
	canary := hold(asIs)
	held.key.Destroy()
	held.aead.Destroy()
	held.signer.Destroy()
	return canary
}

// readKeys reads an AES key and a seed.
func readKeys() {
	both, n, err := ReadFile(os.Stdin, KeySize+32)
	check(err)
	if n != KeySize+32 {
		panic("short input")
	}
	defer both.Destroy()
	held.key, err = NewBuffer(KeySize)
	check(err)
	seed, err := NewBuffer(32)
	check(err)
	copy(held.key.Bytes(), both.Bytes()[:KeySize])
	copy(seed.Bytes(), both.Bytes()[KeySize:])
	held.aead, err = NewAEAD(held.key)
	check(err)
	held.signer, err = NewSigner(seed)
	check(err)
}

// exercise uses keys as a vault does.
func exercise(aead *AEAD, signer *Signer) {
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			nonce, message := make([]byte, aead.NonceSize()), make([]byte, 5000)
			for i := range 50 {
				sealed := aead.Seal(nil, nonce, message[:i*100], nil)
				_, err := aead.Open(nil, nonce, sealed, nil)
				check(err)
				_, err = signer.Sign(message[:i*10])
				check(err)
				if i%10 == 0 {
					runtime.GC()
				}
			}
		})
	}
	users.Wait()
}

// check ends the child if something failed.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// asIs runs fn.
func asIs(fn func()) { fn() }

// withoutSecretMemory runs fn with memfd_secret failing, as it does on older
// kernels: there is no descriptor left for it.
func withoutSecretMemory(fn func()) {
	var limit unix.Rlimit
	check(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}))
	fn()
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
}
