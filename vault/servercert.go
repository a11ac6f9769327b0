package vault

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// How long a certificate of the vault's own is good, and how long before its
// end it is made anew. The key stays: clients that pinned it notice nothing.
const (
	certificateLife  = 397 * 24 * time.Hour
	certificateRenew = 30 * 24 * time.Hour
)

// serverCerts holds the one certificate that the vault made for its server.
var serverCerts = store.Rows[serverCertRow]("server_certificate")

const serverCertKey = store.Key("auto")

type serverCertRow struct {
	Certificate []byte           `cbor:"1,keyasint"` // DER
	Names       []string         `cbor:"2,keyasint"`
	Until       int64            `cbor:"3,keyasint"`
	Private     keyring.Envelope `cbor:"4,keyasint"` // PKCS #8
}

// Key returns the key of the one row there is.
func (serverCertRow) Key() store.Key { return serverCertKey }

// A ServerCertificate is one that signs itself, for clients that pin its key.
type ServerCertificate struct {
	// DER is the certificate.
	DER []byte
	// Key is its private key, as PKCS #8. The caller wipes it.
	Key opaque.Bytes
	// Made reports that it is new.
	Made bool
}

// ServerCertificate returns the vault's own certificate, for host names and
// addresses. The first call makes its key, ECDSA on P-256, which is sealed in
// the vault and stays until it is retired. The certificate is made anew for other
// names, and a month before it ends.
func (v *Vault) ServerCertificate(ctx context.Context, names []string) (c ServerCertificate, err error) {
	err = v.look(ctx, access.TheSystem(), access.MakeCertificate, func(o *op) (err error) {
		row, err := serverCerts.Get(o.Tx, serverCertKey)
		if err != nil {
			return err
		}
		if !slices.Equal(row.Names, names) || row.Until-int64(certificateRenew) < o.now.UnixNano() {
			return ErrNotFound
		}
		c, err = o.openServerCert(row)
		return err
	})
	if !errors.Is(err, ErrNotFound) {
		return c, err
	}
	err = v.do(ctx, access.TheSystem(), record{action: access.MakeCertificate}, func(o *op) (err error) {
		c.Key.Wipe()
		c, err = o.makeServerCert(names)
		return err
	})
	if err != nil {
		c.Key.Wipe()
		return ServerCertificate{}, err
	}
	c.Made = true
	return c, nil
}

// RetireServerCertificate forgets the vault's own certificate and its key: the next
// one has another key.
func (v *Vault) RetireServerCertificate(ctx context.Context) error {
	return v.do(ctx, access.TheSystem(), record{action: access.RetireCertificate}, func(o *op) error {
		err := serverCerts.Delete(o.Tx, serverCertKey)
		if isNotFound(err) {
			return nil
		}
		return err
	})
}

func (o *op) openServerCert(row serverCertRow) (ServerCertificate, error) {
	plain, err := o.keys.open("server_certificate", string(serverCertKey), 1, row.Private)
	if err != nil {
		return ServerCertificate{}, fmt.Errorf("opening the server's key: %w", err)
	}
	return ServerCertificate{DER: row.Certificate, Key: opaque.New(plain)}, nil
}

// makeServerCert makes a certificate, and a key where there is none.
func (o *op) makeServerCert(names []string) (ServerCertificate, error) {
	row, err := serverCerts.Get(o.Tx, serverCertKey)
	var plain []byte
	switch {
	case isNotFound(err):
		plain, err = newServerKey()
		if err == nil {
			row.Private, err = o.seal("server_certificate", string(serverCertKey), 1, plain)
		}
	case err == nil:
		plain, err = o.keys.open("server_certificate", string(serverCertKey), 1, row.Private)
	}
	if err != nil {
		locked.Wipe(plain)
		return ServerCertificate{}, err
	}
	until := o.now.Add(certificateLife)
	row.Names, row.Until = names, until.UnixNano()
	if row.Certificate, err = selfSigned(plain, names, o.now, until); err == nil {
		err = serverCerts.Put(o.Tx, row)
	}
	if err != nil {
		locked.Wipe(plain)
		return ServerCertificate{}, err
	}
	for _, n := range names {
		o.record.about(n, "name")
	}
	return ServerCertificate{DER: row.Certificate, Key: opaque.New(plain)}, nil
}

func newServerKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the server's key: %w", err)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// selfSigned makes a certificate of its own key.
func selfSigned(pkcs8 []byte, names []string, from, until time.Time) ([]byte, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("the server's key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the server's key is of another kind")
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "cortex"},
		NotBefore: from.Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	return x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
}
