package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/proof"
)

// tlsAuto is the setting that lets the vault make the server's certificate.
const tlsAuto = "auto"

// renewEvery is how often the vault vouches for the server's key again, half as
// long as clients believe it, and is asked whether its own certificate is to be
// made anew.
const renewEvery = 24 * time.Hour

// certify has the vault make the certificate if it is to be its own, and vouch
// for its key.
func (p program) certify(ctx context.Context, v *vault.Vault, plan plan) error {
	if plan.cert == nil {
		return nil
	}
	if plan.cert.own {
		if err := p.issue(ctx, v, plan); err != nil {
			return err
		}
	}
	plan.cert.vault = v
	return p.vouch(ctx, plan.cert)
}

// issue has the vault make the certificate.
func (p program) issue(ctx context.Context, v *vault.Vault, plan plan) error {
	if plan.newCertificate {
		if err := v.RetireServerCertificate(ctx); err != nil {
			return err
		}
	}
	names := certificateNames(plan.addr)
	plan.cert.read = func(ctx context.Context) (tls.Certificate, error) {
		made, err := v.ServerCertificate(ctx, names)
		if err != nil {
			return tls.Certificate{}, err
		}
		defer made.Key.Wipe()
		key, err := x509.ParsePKCS8PrivateKey(made.Key.Reveal())
		return tls.Certificate{Certificate: [][]byte{made.DER}, PrivateKey: key}, err
	}
	return plan.cert.reload(ctx)
}

// vouch has the vault vouch for the certificate that is served, if there is one,
// and says what clients pin.
func (p program) vouch(ctx context.Context, cert *certificate) error {
	if cert == nil {
		return nil
	}
	if err := cert.again(ctx); err != nil {
		return err
	}
	if said := cert.statement(); said != nil {
		p.log.Info("the server's key, which clients pin", "fingerprint", said.Key, "vault", proof.Fingerprint(said.Vault), "own", cert.own, "expires", cert.expires())
	}
	return nil
}

// renew keeps a certificate good, and what the vault says of it fresh, until ctx
// ends.
func (p program) renew(ctx context.Context, cert *certificate) {
	step := cert.again
	if cert.own {
		step = cert.reload
	}
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := step(ctx); err != nil && ctx.Err() == nil {
				p.log.Error("the old certificate stays", "err", err)
			}
		}
	}
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
