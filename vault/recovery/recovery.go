// Package recovery gives a secret away in shares, some of which bring it back
// (Shamir's scheme over GF(2^8), byte by byte).
//
// A share is one line of base64, so that it can be printed and typed. It carries
// whose it is and a checksum: the scheme itself cannot tell a mistyped share from
// a good one, and makes something of any.
package recovery

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/corvus-ch/shamir"
	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Limits of a set of shares.
const (
	MinThreshold = 2
	MaxShares    = 200
)

// SecretSize is the size of a secret, in bytes.
const SecretSize = 32

// A share in bytes:
//
//	offset  size
//	     0     1  version, 1
//	     1    16  vault id (a UUID)
//	    17    16  set id, random
//	    33     1  threshold
//	    34     1  how many shares the set has
//	    35     1  x, 1 to 255
//	    36    32  the values at x
//	    68     4  the first bytes of SHA-256 over all before
//
// and as text standard base64, 96 characters without padding.
const (
	shareVersion = 1
	bodySize     = 68
	shareSize    = 72
)

// ErrShare is returned for a text that is no share, or one with a mistake in it.
var ErrShare = errors.New("this is no share, or it was mistyped")

// A Share is one share of a secret.
type Share struct {
	// VaultID and SetID say of which vault it is, and of which set: the id of the
	// vault's key slot, 32 hex digits.
	VaultID, SetID string
	// Threshold is how many shares of the set bring the secret back, Total how
	// many there are.
	Threshold, Total int
	// X tells the shares of a set apart.
	X byte

	y [SecretSize]byte
}

// Wipe overwrites what is secret of the share.
func (s *Share) Wipe() { clear(s.y[:]) }

// Split gives a secret away in shares, as text. threshold of them bring it back;
// fewer tell nothing about it. The caller wipes them. It panics for a secret that
// is not [SecretSize] bytes.
func Split(vaultID, setID string, secret opaque.Bytes, threshold, total int) ([]opaque.Bytes, error) {
	if secret.Len() != SecretSize {
		panic("recovery: secret of the wrong size")
	}
	if threshold < MinThreshold || total < threshold || total > MaxShares {
		return nil, fmt.Errorf("recovery: %d of %d shares", threshold, total)
	}
	// Coefficients are uniformly random there, zeros among them; x is random too.
	parts, err := shamir.Split(secret.Reveal(), total, threshold)
	if err != nil {
		return nil, fmt.Errorf("splitting: %w", err)
	}
	texts := make([]opaque.Bytes, 0, total)
	for x, y := range parts {
		s := Share{VaultID: vaultID, SetID: setID, Threshold: threshold, Total: total, X: x}
		copy(s.y[:], y)
		locked.Wipe(y)
		text, err := s.text()
		s.Wipe()
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func (s *Share) text() (opaque.Bytes, error) {
	vault, err := uuid.Parse(s.VaultID)
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("recovery: vault id: %w", err)
	}
	set, err := hex.DecodeString(s.SetID)
	if err != nil || len(set) != 16 {
		return opaque.Bytes{}, errors.New("recovery: set id is not 32 hex digits")
	}
	b := make([]byte, 0, shareSize)
	defer func() { locked.Wipe(b[:cap(b)]) }()
	b = append(b, shareVersion)
	b = append(b, vault[:]...)
	b = append(b, set...)
	b = append(b, byte(s.Threshold), byte(s.Total), s.X)
	b = append(b, s.y[:]...)
	sum := sha256.Sum256(b)
	b = append(b, sum[:shareSize-bodySize]...)
	text := make([]byte, base64.StdEncoding.EncodedLen(shareSize))
	base64.StdEncoding.Encode(text, b)
	return opaque.New(text), nil
}

// Parse reads a share. White space around it does not count. The caller wipes it.
func Parse(text opaque.Bytes) (Share, error) {
	b := make([]byte, shareSize)
	defer locked.Wipe(b)
	trimmed := trim(text.Reveal())
	if len(trimmed) != base64.StdEncoding.EncodedLen(shareSize) || bytes.ContainsAny(trimmed, "\r\n") {
		return Share{}, ErrShare
	}
	if n, err := base64.StdEncoding.Strict().Decode(b, trimmed); err != nil || n != shareSize {
		return Share{}, ErrShare
	}
	sum := sha256.Sum256(b[:bodySize])
	if subtle.ConstantTimeCompare(sum[:shareSize-bodySize], b[bodySize:]) != 1 || b[0] != shareVersion {
		return Share{}, ErrShare
	}
	s := Share{
		VaultID: uuid.UUID(b[1:17]).String(), SetID: hex.EncodeToString(b[17:33]),
		Threshold: int(b[33]), Total: int(b[34]), X: b[35],
	}
	copy(s.y[:], b[36:bodySize])
	if s.X == 0 || s.Threshold < MinThreshold || s.Total < s.Threshold || s.Total > MaxShares {
		s.Wipe()
		return Share{}, ErrShare
	}
	return s, nil
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

// Combine brings back the secret from shares of one set, at least as many as its
// threshold, with different X. Whether it is the right one only its use can tell.
func Combine(shares []Share) (opaque.Bytes, error) {
	parts := map[byte][]byte{}
	for _, s := range shares {
		if s.SetID != shares[0].SetID || s.VaultID != shares[0].VaultID {
			return opaque.Bytes{}, errors.New("recovery: shares of different sets")
		}
		parts[s.X] = slices.Clone(s.y[:])
	}
	defer func() {
		for _, y := range parts {
			locked.Wipe(y)
		}
	}()
	if len(shares) == 0 || len(parts) < shares[0].Threshold {
		return opaque.Bytes{}, errors.New("recovery: too few shares")
	}
	secret, err := shamir.Combine(parts)
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("combining shares: %w", err)
	}
	return opaque.New(secret), nil
}
