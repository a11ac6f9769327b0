package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writePair writes a self-signed certificate for 127.0.0.1 and its key.
func writePair(t *testing.T, dir string, serial int64, key crypto.Signer, keyType string, der []byte) (certFile, keyFile string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, BasicConstraintsValid: true, IsCA: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: keyType, Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func ecPair(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writePair(t, dir, serial, key, "EC PRIVATE KEY", der)
}

func TestKeyForms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for name, tc := range map[string]struct {
		key     crypto.Signer
		keyType string
		der     []byte
	}{
		"PKCS#1":          {rsaKey, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)},
		"PKCS#8, RSA":     {rsaKey, "PRIVATE KEY", pkcs8(rsaKey)},
		"SEC 1":           {ecKey, "EC PRIVATE KEY", sec1},
		"PKCS#8, EC":      {ecKey, "PRIVATE KEY", pkcs8(ecKey)},
		"PKCS#8, Ed25519": {edKey, "PRIVATE KEY", pkcs8(edKey)},
	} {
		certFile, keyFile := writePair(t, t.TempDir(), 1, tc.key, tc.keyType, tc.der)
		cert, err := loadCertificate(t.Context(), certFile, keyFile)
		if err != nil || cert.expires().Before(time.Now()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := ecPair(t, dir, 1)
	cert, err := loadCertificate(t.Context(), certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		pair, err := cert.config().GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	ecPair(t, dir, 2)
	if serial() != 1 {
		t.Error("read without being told to")
	}
	if err := cert.reload(t.Context()); err != nil || serial() != 2 {
		t.Errorf("serial %d, %v", serial(), err)
	}
	if err := os.WriteFile(cert.keyFile, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cert.reload(t.Context()); err == nil || serial() != 2 {
		t.Errorf("serial %d, %v", serial(), err)
	}
}
