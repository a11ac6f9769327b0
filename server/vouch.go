package server

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/proof"
)

// vouch has the vault say that the key of a certificate is the server's. While
// the vault is sealed, what it said of that key before stands; of another key
// nothing is said until it is unsealed. The caller holds mu.
func (c *certificate) vouch(ctx context.Context, pair tls.Certificate) error {
	if c.vault == nil {
		return nil
	}
	key := proof.TLSKeyOf(leafOf(pair))
	s, err := c.vault.Vouch(ctx, key)
	switch was := c.vouched.Load(); {
	case err == nil:
		c.vouched.Store(&s)
	case !errors.Is(err, vault.ErrSealed):
		return err
	case was != nil && !was.Key.Is(key):
		c.vouched.Store(nil)
	}
	return nil
}

// again has the vault vouch for the certificate that is served.
func (c *certificate) again(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.vouch(ctx, *c.current.Load())
}

// statement is what the vault last said, nil where there is nothing.
func (c *certificate) statement() *vault.ServerKey {
	if c == nil {
		return nil
	}
	return c.vouched.Load()
}

// identity says by which key the vault is known, and what it says about the
// server's.
func (s *Server) identity(ctx context.Context, _ *request) (api.Identity, error) {
	if said := s.serverKey(); said != nil {
		return api.Identity{
			VaultKey: proof.EncodeKey(said.Vault), ServerKey: said.Key.String(),
			Issued: said.Issued, Signature: proof.EncodeSignature(said.Signature),
		}, nil
	}
	public, err := s.vault.Identity(ctx)
	if err != nil {
		return api.Identity{}, err
	}
	return api.Identity{VaultKey: proof.EncodeKey(public)}, nil
}
