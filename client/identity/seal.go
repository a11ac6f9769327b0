package identity

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cortex-auth/cortex/vault/locked"
)

// ErrOpen means that the session file was not sealed with this key for this
// server and agent, or was altered.
var ErrOpen = errors.New("this agent's key does not open the seal of the session file")

// sealLabel is the HKDF info of the key that seals session files, and the
// message whose signature that key comes from. It holds no pipe, so no proof
// of an agent is a signature over it.
const sealLabel = "cortex/1/session-file"

// seal returns nonce ‖ AES-256-GCM(key, token), bound to the server, the agent
// and the pin of the session.
func seal(key Key, s Session, token []byte) (sealed []byte, err error) {
	err = withSealer(key, func(aead cipher.AEAD) error {
		nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(token)+aead.Overhead())
		rand.Read(nonce)
		sealed = aead.Seal(nonce, nonce, token, bound(s))
		return nil
	})
	return sealed, err
}

func open(key Key, s Session, sealed []byte) (token []byte, err error) {
	err = withSealer(key, func(aead cipher.AEAD) (err error) {
		n := aead.NonceSize()
		if len(sealed) < n {
			return ErrOpen
		}
		if token, err = aead.Open(nil, sealed[:n], sealed[n:], bound(s)); err != nil {
			return ErrOpen
		}
		return nil
	})
	return token, err
}

// withSealer runs fn with the key that seals session files:
//
//	HKDF-SHA256(Ed25519(agent key, label), no salt, label)
//
// Signatures are deterministic (RFC 8032) and this one is shown to nobody. The
// seed itself would do as well, but hashing it leaves a copy on the heap.
func withSealer(key Key, fn func(cipher.AEAD) error) error {
	sig, err := key.Sign([]byte(sealLabel))
	if err != nil {
		return fmt.Errorf("deriving the session key: %w", err)
	}
	defer clear(sig)
	derived, err := hkdf.Key(sha256.New, sig, nil, sealLabel, locked.KeySize)
	if err != nil {
		return fmt.Errorf("deriving the session key: %w", err)
	}
	defer clear(derived)
	return locked.WithAEAD(derived, fn)
}
