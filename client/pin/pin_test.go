package pin

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A vault that vouches, and one that does not know it.
var (
	vaultKey   = ed25519.NewKeyFromSeed([]byte(strings.Repeat("v", 32)))
	strangeKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", 32)))
)

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// says is what a vault answers.
func says(by ed25519.PrivateKey, key proof.TLSKey, issued int64) api.Identity {
	s := proof.ServerKey{Vault: public(by), Issued: issued, Key: key}
	return api.Identity{
		VaultKey: proof.EncodeKey(s.Vault), ServerKey: key.String(), Issued: issued,
		Signature: proof.EncodeSignature(ed25519.Sign(by, s.Message())),
	}
}

func TestMet(t *testing.T) {
	key, other := proof.TLSKey{1}, proof.TLSKey{2}
	good := says(vaultKey, key, 100)
	if p := Met(key, good, time.Unix(100, 0)); !p.Key.Is(key) || !p.Vault.Equal(public(vaultKey)) || p.Issued != 100 {
		t.Errorf("%+v", p)
	}
	unsigned := good
	unsigned.Issued++
	for name, said := range map[string]api.Identity{
		"nothing":                  {},
		"the vault's key alone":    {VaultKey: good.VaultKey},
		"a statement of other key": says(vaultKey, other, 100),
		"no signature over that":   unsigned,
	} {
		if p := Met(key, said, time.Unix(100, 0)); !p.Key.Is(key) || p.Vault != nil || p.Issued != 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// A vault whose clock is ahead at the first meeting can vouch once that is mended.
func TestMetAhead(t *testing.T) {
	now, old, key := time.Unix(1_800_000_000, 0), proof.TLSKey{1}, proof.TLSKey{2}
	p := Met(old, says(vaultKey, old, now.AddDate(10, 0, 0).Unix()), now)
	if next, err := p.Next(key, says(vaultKey, key, now.Unix()+1), now); err != nil || !next.Key.Is(key) {
		t.Errorf("%+v, %v", next, err)
	}
}

func TestNext(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	old, key := proof.TLSKey{1}, proof.TLSKey{2}
	issued := now.Unix() - 1000
	known := Pin{Key: old, Vault: public(vaultKey), Issued: issued - 1}
	good := says(vaultKey, key, issued)
	next, err := known.Next(key, good, now)
	if err != nil || !next.Key.Is(key) || !next.Vault.Equal(known.Vault) || next.Issued != issued {
		t.Fatalf("%+v, %v", next, err)
	}
	mixed := says(strangeKey, key, issued)
	mixed.VaultKey = good.VaultKey
	for name, row := range map[string]struct {
		shown proof.TLSKey
		said  api.Identity
		at    time.Time
		want  error
	}{
		"nothing":                     {key, api.Identity{}, now, ErrUnsigned},
		"the vault's key alone":       {key, api.Identity{VaultKey: good.VaultKey}, now, ErrUnsigned},
		"signed by another":           {key, mixed, now, ErrUnsigned},
		"another vault":               {key, says(strangeKey, key, issued), now, ErrStranger},
		"of the key that is replaced": {key, says(vaultKey, old, issued), now, ErrOtherKey},
		"of a third key":              {proof.TLSKey{3}, good, now, ErrOtherKey},
		"as old as the known one":     {key, says(vaultKey, key, known.Issued), now, ErrOlder},
		"older than the known one":    {key, says(vaultKey, key, known.Issued-1), now, ErrOlder},
		"in the future":               {key, good, time.Unix(issued, 0).Add(-proof.MaxAhead - 1), ErrAhead},
		"two days old, and a second":  {key, good, time.Unix(issued, 1).Add(maxAge), ErrStale},
	} {
		if next, err := known.Next(row.shown, row.said, row.at); !errors.Is(err, row.want) {
			t.Errorf("%s: %+v, %v", name, next, err)
		}
	}
	if _, err := known.Next(key, good, time.Unix(issued, 0).Add(maxAge)); err != nil {
		t.Errorf("two days old: %v", err)
	}
	if _, err := known.Next(key, good, time.Unix(issued, 0).Add(-proof.MaxAhead)); err != nil {
		t.Errorf("by a clock that is a bit behind: %v", err)
	}
	// Nobody's word counts for a server of which no vault is known.
	if _, err := (Pin{Key: old}).Next(key, good, now); !errors.Is(err, ErrStranger) {
		t.Errorf("no vault is known: %v", err)
	}
}
