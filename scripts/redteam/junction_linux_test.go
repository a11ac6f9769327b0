package redteam

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A junction is on the way between hosts: it passes on what comes, to where it is
// set, and listens.
type junction struct {
	net.Listener

	mu     sync.Mutex // guards what follows
	target string
	heard  bytes.Buffer
}

func newJunction(t *testing.T, target string) *junction {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := &junction{Listener: l, target: target}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { j.pass(conn) })
		}
	})
	t.Cleanup(func() { l.Close() })
	return j
}

// to has what comes from now on go somewhere else.
func (j *junction) to(target string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.target = target
}

// listened returns everything that was said so far, by both sides.
func (j *junction) listened() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Clone(j.heard.Bytes())
}

func (j *junction) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.heard.Write(b)
}

// pass ends when either side does.
func (j *junction) pass(conn net.Conn) {
	defer conn.Close()
	j.mu.Lock()
	target := j.target
	j.mu.Unlock()
	there, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer there.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{conn, there}, {there, conn}} {
		go func() {
			io.Copy(way[0], io.TeeReader(way[1], j))
			ended <- struct{}{}
		}()
	}
	<-ended
}

// An authority signs certificates for 127.0.0.1; the zero one has them sign
// themselves.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // which hosts that trust it have
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	c := authority{}.issue(t, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	file := filepath.Join(shortDir(t), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	return authority{c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey), file}
}

// issue returns a certificate with a new key.
func (a authority) issue(t *testing.T, change ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: named("cert")},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, fn := range change {
		fn(text)
	}
	if a.cert == nil {
		a.cert, a.key = text, key
	}
	der, err := x509.CreateCertificate(rand.Reader, text, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// fingerprint is what the key of a certificate is known by.
func fingerprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Leaf.RawSubjectPublicKeyInfo)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// certify writes a certificate and its key to where the site's server looks.
func (s *site) certify(t *testing.T, c tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(s.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// secureSite returns a site that shows a certificate.
func secureSite(t *testing.T, c tls.Certificate, env ...string) *site {
	t.Helper()
	s := prepare(t, env...)
	s.certify(t, c)
	s.env = append(s.env, "INSECURE_HTTP=", "CORTEX_LISTEN=127.0.0.1", "TLS_CERT_FILE="+filepath.Join(s.dir, "cert.pem"), "TLS_KEY_FILE="+filepath.Join(s.dir, "key.pem"))
	s.serve(t)
	return s
}

// addr is where the server listens.
func (s *site) addr() string {
	_, addr, _ := strings.Cut(s.URL, "://")
	return addr
}
