package server

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// leaf returns the certificate that a server shows.
func leaf(t *testing.T, url string) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// The server makes its own certificate. Its key outlives a restart, is not in
// the file in clear, and is what the log says.
func TestAutoTLS(t *testing.T) {
	t.Parallel()
	p := serve(t, "", "INSECURE_HTTP=", "CORTEX_TLS=auto", "CORTEX_LISTEN=127.0.0.1")
	if !strings.HasPrefix(p.url, "https://127.0.0.1:") {
		t.Fatalf("url %s", p.url)
	}
	first := leaf(t, p.url)
	pool := x509.NewCertPool()
	pool.AddCert(first)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	resp, err := client.Get(p.url + "/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	client.CloseIdleConnections()
	p.stop(t)

	again := start(t, p.dir, strings.NewReader(testPassword), []string{"INSECURE_HTTP=", "CORTEX_LISTEN=127.0.0.1:0"}, "serve", "--tls", "auto")
	var pinned, url string
	for line := range again.log {
		if m := regexp.MustCompile(`fingerprint=(\S+)`).FindStringSubmatch(line); m != nil {
			pinned = strings.Trim(m[1], `"`)
		}
		if m := regexp.MustCompile(`msg=listening url=(\S+)`).FindStringSubmatch(line); m != nil {
			url = m[1]
			break
		}
	}
	second := leaf(t, url)
	if string(second.RawSubjectPublicKeyInfo) != string(first.RawSubjectPublicKeyInfo) || string(second.Raw) != string(first.Raw) {
		t.Error("a restart made another key or certificate")
	}
	if pinned == "" {
		t.Error("the log does not say what to pin")
	}
	again.stop(t)
}

func TestAutoTLSAlone(t *testing.T) {
	for _, change := range []func(*settings){
		func(s *settings) { s.insecureHTTP = true },
		func(s *settings) { s.certFile, s.keyFile = "a", "b" },
		func(s *settings) { s.tls = "on" },
	} {
		s := local()
		s.insecureHTTP, s.tls = false, tlsAuto
		change(&s)
		if _, err := s.plan(t.Context()); err == nil || !strings.Contains(err.Error(), "CORTEX_TLS") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
