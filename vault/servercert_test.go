package vault_test

import (
	"bytes"
	"crypto/x509"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A certificate is kept for eleven months, and then made anew for the same key.
func TestServerCertificateIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		names := []string{"localhost", "127.0.0.1"}
		get := func(names []string) (*x509.Certificate, bool) {
			t.Helper()
			c, err := v.ServerCertificate(t.Context(), names)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Key.Wipe()
			cert, err := x509.ParseCertificate(c.DER)
			if err != nil {
				t.Fatal(err)
			}
			if cert.VerifyHostname("localhost") != nil || time.Until(cert.NotAfter) < 30*24*time.Hour-time.Minute {
				t.Errorf("%v until %v", cert.DNSNames, cert.NotAfter)
			}
			return cert, c.Made
		}
		first, made := get(names)
		if !made {
			t.Error("the first is not new")
		}
		time.Sleep(300 * 24 * time.Hour)
		same, made := get(names)
		if made || !bytes.Equal(same.Raw, first.Raw) {
			t.Error("it was made anew too early")
		}
		time.Sleep(70 * 24 * time.Hour)
		renewed, made := get(names)
		if !made || bytes.Equal(renewed.Raw, first.Raw) || !bytes.Equal(renewed.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) {
			t.Error("it was not made anew, or for another key")
		}
		if _, made := get(append(names, "vault.example.com")); !made {
			t.Error("another name, and the same certificate")
		}
	})
}
