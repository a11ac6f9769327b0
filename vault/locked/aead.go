package locked

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"sync"
	"unsafe"
)

// KeySize is the size in bytes of the keys of an [AEAD].
const KeySize = 32

// errType says that the standard library's GCM is not what this file knows.
var errType = errors.New("locked: unknown implementation of AES-GCM")

// An AEAD is AES-256-GCM under a long-lived key, with 12-byte nonces and
// 16-byte tags. Everything computed from the key lies in locked memory. It may
// be used concurrently, and satisfies [cipher.AEAD].
type AEAD struct {
	mu   sync.RWMutex // held for reading while in use, for writing by Destroy
	page *Buffer
	gcm  func() cipher.AEAD // a func for the same reason as in Buffer; nil once destroyed
}

var _ cipher.AEAD = (*AEAD)(nil)

// NewAEAD expands a key of [KeySize] bytes. The key stays the caller's, and
// may be destroyed at once. It fails if the memory cannot be had, and with
// runtimes whose AES-GCM it does not know how to move.
func NewAEAD(key *Buffer) (*AEAD, error) {
	var a *AEAD
	var err error
	Scrubbed(func() {
		err = WithAEAD(key.Bytes(), func(gcm cipher.AEAD) error {
			a, err = relocate(gcm)
			return err
		})
	})
	return a, err
}

// relocate makes a bitwise copy of gcm in a page of its own. That is sound
// because the object holds no pointers, has no identity, and is not written to
// after it was made. The garbage collector does not mind pointers to memory
// that is not its own.
func relocate(gcm cipher.AEAD) (*AEAD, error) {
	page, err := NewBuffer(len(memory(gcm)))
	if err != nil {
		return nil, err
	}
	content := page.Bytes()
	copy(content, memory(gcm))
	copied := reflect.NewAt(reflect.TypeOf(gcm).Elem(), unsafe.Pointer(unsafe.SliceData(content)))
	inPage := copied.Interface().(cipher.AEAD)
	return &AEAD{page: page, gcm: func() cipher.AEAD { return inPage }}, nil
}

// NonceSize returns 12.
func (*AEAD) NonceSize() int { return 12 }

// Overhead returns 16.
func (*AEAD) Overhead() int { return 16 }

// Seal works as [cipher.AEAD] says. It panics after Destroy.
func (a *AEAD) Seal(dst, nonce, plaintext, aad []byte) []byte {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.gcm == nil {
		panic("locked: use of a destroyed AEAD")
	}
	var q quiet
	q.begin()
	defer q.end()
	defer sweep() // of counter blocks that are XORed with the key
	return a.gcm().Seal(dst, nonce, plaintext, aad)
}

// Open works as [cipher.AEAD] says. It returns ErrDestroyed after Destroy.
func (a *AEAD) Open(dst, nonce, ciphertext, aad []byte) (plaintext []byte, err error) {
	err = a.With(func(gcm cipher.AEAD) (err error) {
		plaintext, err = gcm.Open(dst, nonce, ciphertext, aad)
		return err
	})
	return plaintext, err
}

// With runs fn with the AES-GCM and returns its error, or ErrDestroyed after
// Destroy. What protects the key while it is in use is done once, however often
// fn uses it, so fn should do nothing else. It must not keep the AES-GCM.
func (a *AEAD) With(fn func(cipher.AEAD) error) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.gcm == nil {
		return ErrDestroyed
	}
	var q quiet
	q.begin()
	defer q.end()
	defer sweep()
	return fn(a.gcm())
}

// Destroy waits for the uses under way and wipes the key. Doing it again does
// nothing.
func (a *AEAD) Destroy() {
	a.mu.Lock()
	defer a.mu.Unlock()
	// The pointer goes first: the Go heap may grow into the unmapped page
	// one day, and must not find a stray pointer there.
	a.gcm = nil
	a.page.Destroy()
}

// Format writes "[opaque]", whatever the verb.
func (*AEAD) Format(f fmt.State, _ rune) { io.WriteString(f, placeholder) }

// LogValue returns "[opaque]".
func (*AEAD) LogValue() slog.Value { return slog.StringValue(placeholder) }

// WithAEAD runs fn with AES-256-GCM under a key of [KeySize] bytes, and then
// wipes what was computed from the key. It is meant for keys that are used
// once: everything lies on the ordinary heap, which is cheaper than a page,
// and no longer than fn runs. fn must not keep the AEAD. WithAEAD returns the
// error of fn.
func WithAEAD(key []byte, fn func(cipher.AEAD) error) error {
	if len(key) != KeySize {
		return fmt.Errorf("locked: AES key of %d bytes", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if !plain(block) {
		return errType
	}
	defer Wipe(memory(block))
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	if !plain(gcm) {
		return errType
	}
	defer Wipe(memory(gcm))
	return fn(gcm)
}

// memory returns the bytes of the object that v, which is plain, points to.
func memory(v any) []byte {
	p := reflect.ValueOf(v)
	return unsafe.Slice((*byte)(p.UnsafePointer()), p.Type().Elem().Size())
}

// known remembers the answers of plain by reflect.Type.
var known sync.Map

// plain reports whether v is a pointer to an object without pointers, which
// can be copied and wiped as bytes.
func plain(v any) bool {
	t := reflect.TypeOf(v)
	if ok, found := known.Load(t); found {
		return ok.(bool)
	}
	ok := t.Kind() == reflect.Pointer && t.Elem().Size() > 0 && pointerFree(t.Elem())
	known.Store(t, ok)
	return ok
}

// pointerFree reports whether values of type t contain nothing but numbers.
func pointerFree(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Array:
		return pointerFree(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !pointerFree(f.Type) {
				return false
			}
		}
		return true
	}
	return false
}
