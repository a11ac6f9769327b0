// Package keyring holds the keys of a vault and all encryption under them.
//
//	password ─Argon2id─► slot key ─opens─► KEK ─wraps─► DEK, one per row version ─seals─► body
//	                                        ├─seals─► long-lived keys, the sentinel
//	                                        └─HKDF─► first values of those keys
//
// A [KEK] is 32 random bytes in locked memory. It comes out of a [Slot], which
// holds it wrapped under a password, as LUKS key slots do; several slots can
// hold the same KEK. [KEK.Seal] makes an [Envelope] whose associated data is
// its [Label], so that a ciphertext opens in the row it was written for and
// nowhere else. A [MAC] authenticates rows that are not encrypted.
//
// # What lies on the heap
//
// Keys that live long are in locked memory, expanded forms included. The key
// of one envelope, and the password and working memory of Argon2id, pass over
// the ordinary heap. The former is wiped at once, and guarded no better than the
// content of the envelope, which lies there too. Of the latter the derived key
// is wiped, and the working memory is given back to the system, before the
// derivation ends; the password is the caller's to wipe. What the Argon2id
// implementation leaves of the hashes with which it begins and ends, a few
// hundred bytes each, is garbage that only it could have wiped.
package keyring

import "errors"

// KEKSize is the size in bytes of a KEK, and of every key in this package.
const KEKSize = 32

// nonceSize and overhead are those of AES-GCM.
const (
	nonceSize = 12
	overhead  = 16
)

var (
	// ErrWrongPassword says that a slot does not open. A damaged slot cannot
	// be told from a wrong password.
	ErrWrongPassword = errors.New("wrong password")
	// ErrParams says that a derivation would cost more than any honest file
	// asks for, or less than is safe.
	ErrParams = errors.New("key derivation parameters out of range")
	// ErrSlot says that a key slot makes no sense.
	ErrSlot = errors.New("malformed key slot")
	// ErrOpen says that a ciphertext was not made by this key for this place.
	ErrOpen = errors.New("ciphertext does not open")
	// ErrDestroyed says that the key has been wiped from memory.
	ErrDestroyed = errors.New("key has been destroyed")
)
