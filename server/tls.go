package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// A certificate is a certificate chain and its key, which can be read again
// while connections are served.
type certificate struct {
	certFile, keyFile string
	read              func() (tls.Certificate, error)
	current           atomic.Pointer[tls.Certificate]
}

// loadCertificate reads PEM files: all certificates of the one are the chain,
// and the key may be in PKCS#8, SEC 1 or PKCS#1 form.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	c.read = c.readFiles
	return c, c.reload()
}

// reload reads the certificate again. On an error what was read before stays.
func (c *certificate) reload() error {
	pair, err := c.read()
	if err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) readFiles() (none tls.Certificate, err error) {
	chain, err := os.ReadFile(c.certFile)
	if err != nil {
		return none, fmt.Errorf("reading certificate: %w", err)
	}
	key, err := os.ReadFile(c.keyFile)
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
	leaf, err := x509.ParseCertificate(c.current.Load().Certificate[0])
	if err != nil {
		return time.Time{} // unreachable: it was parsed when it was read
	}
	return leaf.NotAfter
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
