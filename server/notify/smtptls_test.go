package notify_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/notify"
	"github.com/cortex-auth/cortex/server/servertest"
)

// A tlsMailbox is a mail server of its own certificate, which tells what it
// heard in clear and what under TLS.
type tlsMailbox struct {
	port     int
	name     string // of its certificate; if empty, that of its address
	roots    *x509.CertPool
	config   *tls.Config
	offer    string // what it says in clear of STARTTLS
	answer   string // and then to STARTTLS
	implicit bool

	mu          sync.Mutex // guards what follows
	clear, safe []string
}

func (m *tlsMailbox) start(t *testing.T) *tlsMailbox {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(cmp.Or(m.name, "127.0.0.1"))},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	m.config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
	m.roots = x509.NewCertPool()
	m.roots.AddCert(cert)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = l.Addr().(*net.TCPAddr).Port
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { l.Close() })
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.serve(c)
		}
	})
	return m
}

func (m *tlsMailbox) serve(c net.Conn) {
	defer c.Close()
	if m.implicit {
		m.talk(tls.Server(c, m.config), true)
	} else {
		m.talk(c, false)
	}
}

// talk speaks SMTP until the other side goes away.
func (m *tlsMailbox) talk(c net.Conn, secure bool) {
	say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
	lines := bufio.NewScanner(c)
	if secure == m.implicit {
		say("220 test ESMTP")
	}
	for lines.Scan() {
		m.heard(lines.Text(), secure)
		switch verb, _, _ := strings.Cut(lines.Text(), " "); {
		case verb == "EHLO" && !secure:
			say("250-test\r\n" + m.offer + "250 AUTH PLAIN")
		case verb == "EHLO":
			say("250-test\r\n250 AUTH PLAIN")
		case verb == "STARTTLS":
			say(m.answer)
			if strings.HasPrefix(m.answer, "220") {
				m.talk(tls.Server(c, m.config), true)
				return
			}
		case verb == "AUTH":
			say("235 welcome")
		case verb == "DATA":
			say("354 go on")
			for lines.Scan() && lines.Text() != "." {
				m.heard(lines.Text(), secure)
			}
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func (m *tlsMailbox) heard(line string, secure bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if secure {
		m.safe = append(m.safe, line)
	} else {
		m.clear = append(m.clear, line)
	}
}

// A mail server gets the password, and the mail, only under TLS with a
// certificate of its name from somebody we trust. Whoever is in between and
// takes STARTTLS out of the offer gets neither.
func TestSTARTTLS(t *testing.T) {
	const offer, ready = "250-STARTTLS\r\n", "220 ready"
	credentials := base64.StdEncoding.EncodeToString([]byte("\x00user\x00pass-canary"))
	for name, c := range map[string]struct {
		box       *tlsMailbox
		tls       string // of the config
		untrusted bool
		why       string // empty: the mail arrives
	}{
		"it is used":               {box: &tlsMailbox{offer: offer, answer: ready}},
		"implicit TLS":             {box: &tlsMailbox{implicit: true}, tls: "implicit"},
		"it is not offered":        {box: &tlsMailbox{}, why: "the mail server offers no STARTTLS"},
		"it is refused":            {box: &tlsMailbox{offer: offer, answer: "454 not now"}, why: "the mail server answered 454"},
		"what follows in clear":    {box: &tlsMailbox{offer: offer, answer: ready + "\r\n250-injected\r\n250 AUTH LOGIN"}},
		"a foreign certificate":    {box: &tlsMailbox{offer: offer, answer: ready}, untrusted: true, why: "the certificate is not trusted"},
		"another name":             {box: &tlsMailbox{offer: offer, answer: ready, name: "192.0.2.1"}, why: "the certificate is for another name"},
		"implicit, and a foreign":  {box: &tlsMailbox{implicit: true}, tls: "implicit", untrusted: true, why: "the certificate is not trusted"},
		"implicit is not STARTTLS": {box: &tlsMailbox{offer: offer, answer: ready}, tls: "implicit", why: "the receiver does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			box := c.box.start(t)
			roots := box.roots
			if c.untrusted {
				roots = x509.NewCertPool()
			}
			s := deliveringTo(t, roots)
			config := map[string]any{
				"host": "127.0.0.1", "port": box.port, "from": "cortex@example.org", "username": "user", "password": "pass-canary",
			}
			if c.tls != "" {
				config["tls"] = c.tls
			}
			id := channel(t, s, "email", "mail", map[string]any{"to": "ops@example.org", "smtp": config})
			if out := test(t, s, id); out.Error != c.why {
				t.Fatalf("%+v, want %q", out, c.why)
			}
			box.mu.Lock()
			defer box.mu.Unlock()
			if text := strings.Join(box.clear, "\n"); strings.Contains(text, "AUTH") || strings.Contains(text, "MAIL") {
				t.Errorf("in clear:\n%s", text)
			}
			safe := strings.Join(box.safe, "\n")
			if sent := strings.Contains(safe, "AUTH PLAIN "+credentials); sent != (c.why == "") {
				t.Errorf("credentials sent: %t; under TLS:\n%s", sent, safe)
			}
			if arrived := slices.Contains(box.safe, "RCPT TO:<ops@example.org>"); arrived != (c.why == "") {
				t.Errorf("mail sent: %t; under TLS:\n%s", arrived, safe)
			}
		})
	}
}

// deliveringTo returns a server whose messages go to receivers with certificates
// of these authorities.
func deliveringTo(t *testing.T, roots *x509.CertPool) *servertest.Server {
	t.Helper()
	s := servertest.With(t, servertest.Config{Unlimited: true, Direct: true})
	ctx, cancel := context.WithCancel(context.Background())
	d := notify.New(notify.Config{Vault: s.Vault, Roots: roots})
	var running sync.WaitGroup
	running.Go(func() { _ = d.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return s
}
