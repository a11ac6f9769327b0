// Package pin says how a client knows a server again: by the TLS key that it
// showed at the first meeting, and by the key of the vault behind it, which
// vouches for whatever TLS key comes after that. It does no I/O.
package pin

import (
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A Pin is what is known of a server.
type Pin struct {
	// Key is the TLS key that the server must show.
	Key proof.TLSKey
	// Vault is the key by which the vault vouches for another one in the place of
	// Key. If nil, nobody can.
	Vault ed25519.PublicKey
	// Issued is when the vault vouched for Key, in Unix seconds; at the first
	// meeting no later than that.
	Issued int64
}

// maxAge is how old a statement may be. A server has a new one each day; one that
// is older may be about a key that was replaced because it was stolen.
const maxAge = 48 * time.Hour

// Why a vault's word does not count.
var (
	ErrUnsigned  = errors.New("what it says of its key is not signed")
	ErrOtherKey  = errors.New("it vouches for another key than the one that is shown")
	ErrStranger  = errors.New("another vault vouches for it")
	ErrOlder     = errors.New("the vault vouched for it before it vouched for the known one")
	ErrStale     = errors.New("the vault vouched for it more than two days ago by this machine's clock")
	ErrAhead     = errors.New("the vault vouched for it in the future, by this machine's clock: one of the two is wrong")
	ErrNoVoucher = errors.New("nothing is known of a vault that could vouch for it")
)

// A ChangedError says that a server shows another key than the known one.
type ChangedError struct {
	Known, Shown proof.TLSKey
	// Why says why nobody vouches for it; nil if nobody was asked.
	Why error
}

// Error names both keys.
func (e *ChangedError) Error() string {
	text := fmt.Sprintf("it shows the key %s; the known one is %s", e.Shown, e.Known)
	if e.Why != nil {
		text += ": " + e.Why.Error()
	}
	return text
}

// Unwrap returns Why.
func (e *ChangedError) Unwrap() error { return e.Why }

// Check returns a [*ChangedError] unless the server of a connection shows the
// known key. It is for [tls.Config.VerifyConnection], before anything is sent.
func (p Pin) Check(c tls.ConnectionState) error {
	if shown := Shown(c); !shown.Is(p.Key) {
		return &ChangedError{Known: p.Key, Shown: shown}
	}
	return nil
}

// Shown returns the TLS key at the other end of a connection.
func Shown(c tls.ConnectionState) proof.TLSKey {
	if len(c.PeerCertificates) == 0 {
		return proof.TLSKey{} // unreachable: every server shows one
	}
	return proof.TLSKeyOf(c.PeerCertificates[0])
}

// Met returns the pin of a server at the first meeting, of which nothing but the
// key it shows is known to be good. Unless it says, and its vault signed, that
// this is its key, there is nobody to vouch for the next one.
func Met(shown proof.TLSKey, said api.Identity, now time.Time) Pin {
	s, err := read(said)
	if err != nil || !s.Key.Is(shown) {
		return Pin{Key: shown}
	}
	return Pin{Key: shown, Vault: s.Vault, Issued: min(s.Issued, now.Unix())}
}

// Next returns the pin that takes the place of p for a server that shows another
// key and says of it what it says.
func (p Pin) Next(shown proof.TLSKey, said api.Identity, now time.Time) (Pin, error) {
	s, err := read(said)
	switch {
	case err != nil:
		return Pin{}, err
	case !s.Vault.Equal(p.Vault):
		return Pin{}, ErrStranger
	case !s.Key.Is(shown):
		return Pin{}, ErrOtherKey
	case s.Issued <= p.Issued:
		return Pin{}, ErrOlder
	case time.Unix(s.Issued, 0).Sub(now) > proof.MaxAhead:
		return Pin{}, ErrAhead
	case now.Sub(time.Unix(s.Issued, 0)) > maxAge:
		return Pin{}, ErrStale
	}
	return Pin{Key: s.Key, Vault: s.Vault, Issued: s.Issued}, nil
}

// read returns what a vault says of its server's key, if it is signed.
func read(said api.Identity) (s proof.ServerKey, err error) {
	var errs [3]error
	var signature []byte
	s.Issued = said.Issued
	s.Vault, errs[0] = proof.DecodeKeyURL(said.VaultKey)
	s.Key, errs[1] = proof.ParseTLSKey(said.ServerKey)
	signature, errs[2] = proof.DecodeSignatureURL(said.Signature)
	if errors.Join(errs[:]...) != nil || !s.Signed(signature) {
		return proof.ServerKey{}, ErrUnsigned
	}
	return s, nil
}
