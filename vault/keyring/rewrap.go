package keyring

import (
	"crypto/rand"

	"github.com/cortex-auth/cortex/vault/locked"
)

// Rewrap wraps the DEK of an envelope found at the place that l names under
// another KEK. The body stays as it is, and is shared. It returns ErrOpen if the
// envelope's DEK was not wrapped there, by k.
func (k *KEK) Rewrap(l Label, e Envelope, next *KEK) (Envelope, error) {
	if err := (Found{l, e}).check(k.version); err != nil {
		return Envelope{}, err
	}
	var dek [KEKSize]byte
	defer locked.Wipe(dek[:])
	err := k.use(func() error {
		if _, err := k.aead.Open(dek[:0], e.DEKNonce, e.WrappedDEK, l.appendDEKAAD(nil, k.version)); err != nil {
			return ErrOpen
		}
		return nil
	})
	if err != nil {
		return Envelope{}, err
	}
	buf := make([]byte, nonceSize, nonceSize+wrappedSize)
	rand.Read(buf)
	e.KEKVersion, e.DEKNonce = next.version, buf[:nonceSize:nonceSize]
	err = next.use(func() error {
		e.WrappedDEK = next.aead.Seal(buf[nonceSize:], e.DEKNonce, dek[:], l.appendDEKAAD(nil, next.version))
		return nil
	})
	return e, err
}

// useOldKEK says that the plaintext is the KEK before this one.
const useOldKEK = "old-kek"

// SealOld encrypts another KEK of the vault, the one before k, under k.
func (k *KEK) SealOld(l Label, old *KEK) (sealed []byte, err error) {
	err = old.use(func() error {
		sealed, err = k.SealBytes(useOldKEK, l, old.key.Bytes())
		return err
	})
	return sealed, err
}

// OpenOld decrypts what SealOld returned for the same label, into locked memory.
// version is that of the other KEK.
func (k *KEK) OpenOld(l Label, sealed []byte, version uint32) (*KEK, error) {
	plain, err := k.OpenBytes(useOldKEK, l, sealed)
	if err != nil {
		return nil, err
	}
	defer locked.Wipe(plain)
	if len(plain) != KEKSize {
		return nil, ErrOpen
	}
	key, err := locked.Copy(plain)
	if err != nil {
		return nil, err
	}
	return newKEK(version, key)
}
