package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

// maxPEM is the length of the longest certificate chain or key read, in bytes.
const maxPEM = 1 << 20

// A certificate is a certificate chain and its key, which can be read again
// while connections are served.
type certificate struct {
	own               bool // made by the vault, and there once that is unsealed
	certFile, keyFile string
	read              func(context.Context) (tls.Certificate, error)
	// vault vouches for the key, once there is one that is open.
	vault *vault.Vault

	mu      sync.Mutex // held while one takes the place of the other
	current atomic.Pointer[tls.Certificate]
	vouched atomic.Pointer[vault.ServerKey]
}

// loadCertificate reads PEM files: all certificates of the one are the chain,
// and the key may be in PKCS#8, SEC 1 or PKCS#1 form.
func loadCertificate(ctx context.Context, certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	c.read = c.readFiles
	return c, c.reload(ctx)
}

// reload reads the certificate again. On an error what was read before stays.
// The vault vouches for its key first: no client is to see one that it cannot
// ask about.
func (c *certificate) reload(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pair, err := c.read(ctx)
	if err != nil {
		return err
	}
	if err := c.vouch(ctx, pair); err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) readFiles(ctx context.Context) (none tls.Certificate, err error) {
	chain, err := secretfile.ReadFile(ctx, c.certFile, maxPEM)
	if err != nil {
		return none, fmt.Errorf("reading certificate: %w", err)
	}
	key, err := secretfile.ReadFile(ctx, c.keyFile, maxPEM)
	if err != nil {
		return none, fmt.Errorf("reading key: %w", err)
	}
	defer clear(key)
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return none, fmt.Errorf("certificate %s and key %s: %w", c.certFile, c.keyFile, err)
	}
	return pair, nil
}

// expires returns when clients will stop accepting the certificate.
func (c *certificate) expires() time.Time {
	return leafOf(*c.current.Load()).NotAfter
}

// key returns what clients pin.
func (c *certificate) key() proof.TLSKey { return proof.TLSKeyOf(leafOf(*c.current.Load())) }

// leafOf returns the server's own certificate of a chain.
func leafOf(pair tls.Certificate) *x509.Certificate {
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return &x509.Certificate{} // unreachable: it was parsed when it was read
	}
	return leaf
}

// config returns the server's TLS settings.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}
