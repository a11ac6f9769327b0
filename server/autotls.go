package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"os"
	"time"

	"github.com/cortex-auth/cortex/vault"
)

// tlsAuto is the setting that lets the vault make the server's certificate.
const tlsAuto = "auto"

// renewEvery is how often the server asks whether its own certificate is to be
// made anew.
const renewEvery = 24 * time.Hour

// autoCertificate is one of the vault's own, which is there once that is
// unsealed.
func autoCertificate() *certificate { return &certificate{certFile: "made by this server"} }

// issue has the vault make the certificate, and says what clients pin.
func (p program) issue(ctx context.Context, v *vault.Vault, plan plan) error {
	names := certificateNames(plan.addr)
	plan.cert.read = func() (tls.Certificate, error) {
		made, err := v.ServerCertificate(ctx, names)
		if err != nil {
			return tls.Certificate{}, err
		}
		defer made.Key.Wipe()
		key, err := x509.ParsePKCS8PrivateKey(made.Key.Reveal())
		return tls.Certificate{Certificate: [][]byte{made.DER}, PrivateKey: key}, err
	}
	if err := plan.cert.reload(); err != nil {
		return err
	}
	p.log.Info("the server's certificate is its own: clients have to pin its key", "fingerprint", plan.cert.fingerprint(), "expires", plan.cert.expires())
	return nil
}

// renew keeps a certificate of the vault's own good, until ctx ends.
func (p program) renew(ctx context.Context, cert *certificate) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := cert.reload(); err != nil && ctx.Err() == nil {
				p.log.Error("the old certificate stays", "err", err)
			}
		}
	}
}

// fingerprint returns the SHA-256 of the public key, as clients pin it.
func (c *certificate) fingerprint() string {
	leaf, err := x509.ParseCertificate(c.current.Load().Certificate[0])
	if err != nil {
		return "" // unreachable: it was made here
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// certificateNames are those that clients on this host and elsewhere may use.
func certificateNames(addr *net.TCPAddr) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil && host != "localhost" && host != "" {
		names = append(names, host)
	}
	if ip := addr.IP; len(ip) > 0 && !ip.IsUnspecified() && !ip.IsLoopback() {
		names = append(names, ip.String())
	}
	return names
}
