package sshauth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault/sshauth"
	"github.com/cortex-auth/cortex/vault/sshauth/sshauthtest"
)

func signer(t testing.TB, key any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signers returns a key of each kind.
func signers(t testing.TB) map[string]ssh.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]ssh.Signer{"ed25519": signer(t, ed), "ecdsa": signer(t, ec), "rsa": signer(t, r)}
}

func bind(t testing.TB, h sshauthtest.Host) sshauth.Binding {
	t.Helper()
	b, err := sshauth.Bind(h.Key(), h.Session, h.Signature)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, sshauth.ErrRefused) {
		t.Errorf("%s: %v", what, err)
	}
}

func TestLogin(t *testing.T) {
	for host, hostKey := range signers(t) {
		for name, key := range signers(t) {
			h := sshauthtest.NewSession(t, hostKey)
			b := bind(t, h)
			if b.Host != h.Fingerprint() {
				t.Errorf("bound to %s, want %s", b.Host, h.Fingerprint())
			}
			login := h.Login(key.PublicKey())
			for form, r := range map[string]sshauthtest.Request{"plain": login, "host-bound": h.Hostbound(login)} {
				got, err := sshauth.ParseRequest(r.Bytes())
				if err != nil || got.User != "git" {
					t.Fatalf("%s, %s: %+v, %v", name, form, got, err)
				}
				if err := got.Check(b, key.PublicKey()); err != nil {
					t.Errorf("%s at %s, %s: %v", name, host, form, err)
				}
			}
		}
	}
}

// A host that signs with a certificate is known by the key in it.
func TestBindCertificate(t *testing.T) {
	keys := signers(t)
	c := &ssh.Certificate{Key: keys["ed25519"].PublicKey(), CertType: ssh.HostCert, ValidBefore: ssh.CertTimeInfinity}
	if err := c.SignCert(rand.Reader, keys["ecdsa"]); err != nil {
		t.Fatal(err)
	}
	h := sshauthtest.NewSession(t, keys["ed25519"])
	b, err := sshauth.Bind(c.Marshal(), h.Session, h.Signature)
	if err != nil || b.Host != h.Fingerprint() {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestBindRefuses(t *testing.T) {
	h, other := sshauthtest.NewHost(t), sshauthtest.NewHost(t)
	_, err := sshauth.Bind(other.Key(), h.Session, h.Signature)
	refused(t, "another host's key", err)
	_, err = sshauth.Bind(h.Key(), other.Session, h.Signature)
	refused(t, "another session", err)
	_, err = sshauth.Bind(h.Key(), h.Session, nil)
	refused(t, "no signature", err)
	_, err = sshauth.Bind(h.Key(), h.Session, append(slices.Clone(h.Signature), 0))
	refused(t, "a longer signature", err)
	_, err = sshauth.Bind(append(h.Key(), 0), h.Session, h.Signature)
	refused(t, "a longer key", err)
	_, err = sshauth.Bind(nil, h.Session, h.Signature)
	refused(t, "no key", err)
	for _, n := range []int{0, 19, 65, 1 << 20} {
		_, err = sshauth.Bind(h.Key(), make([]byte, n), h.Signature)
		refused(t, "a session id of another length", err)
	}
}

func TestBindRefusesSHA1(t *testing.T) {
	h := sshauthtest.NewSession(t, signers(t)["rsa"])
	sig, err := h.Signer.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, h.Session, ssh.KeyAlgoRSA)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sshauth.Bind(h.Key(), h.Session, ssh.Marshal(sig))
	refused(t, "SHA-1", err)
}

func TestParseRequestRefuses(t *testing.T) {
	key := signers(t)["ed25519"].PublicKey()
	h := sshauthtest.NewHost(t)
	good := h.Login(key)
	for name, change := range map[string]func(*sshauthtest.Request){
		"another message":        func(r *sshauthtest.Request) { r.Message = 51 },
		"another service":        func(r *sshauthtest.Request) { r.Service = "ssh-userauth" },
		"host-based":             func(r *sshauthtest.Request) { r.Method = "hostbased" },
		"without a signature":    func(r *sshauthtest.Request) { r.Signed = false },
		"something behind":       func(r *sshauthtest.Request) { r.Rest = []byte{0} },
		"host-bound to nothing":  func(r *sshauthtest.Request) { r.Method = "publickey-hostbound-v00@openssh.com" },
		"host-bound to no key":   func(r *sshauthtest.Request) { *r = h.Hostbound(*r); r.Rest = make([]byte, 4) },
		"host-bound, and behind": func(r *sshauthtest.Request) { *r = h.Hostbound(*r); r.Rest = append(r.Rest, 0) },
		"a user with a newline":  func(r *sshauthtest.Request) { r.User = "git\nroot" },
		"a user with an escape":  func(r *sshauthtest.Request) { r.User = "\x1b]0;x\a" },
		"a long user":            func(r *sshauthtest.Request) { r.User = strings.Repeat("u", 257) },
		"a huge key":             func(r *sshauthtest.Request) { r.Key = make([]byte, sshauth.MaxMessage) },
	} {
		r := good
		change(&r)
		_, err := sshauth.ParseRequest(r.Bytes())
		refused(t, name, err)
	}
	whole := good.Bytes()
	for n := range whole {
		_, err := sshauth.ParseRequest(whole[:n])
		refused(t, "a part", err)
	}
	// A byte that is neither true nor false.
	at := bytes.Index(whole, []byte("publickey")) + len("publickey")
	whole[at] = 2
	_, err := sshauth.ParseRequest(whole)
	refused(t, "2 for true", err)
	// What ssh-keygen -Y signs: PROTOCOL.sshsig.
	sshsig := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Hash, Digest string }{"git", "", "sha512", strings.Repeat("d", 64)})...)
	_, err = sshauth.ParseRequest(sshsig)
	refused(t, "SSHSIG", err)
}

func TestCheckRefuses(t *testing.T) {
	keys := signers(t)
	key := keys["ed25519"].PublicKey()
	h, other := sshauthtest.NewHost(t), sshauthtest.NewHost(t)
	b := bind(t, h)
	for name, r := range map[string]sshauthtest.Request{
		"another session": other.Login(key),
		"another host":    other.Hostbound(h.Login(key)),
		"another key":     h.Login(keys["ecdsa"].PublicKey()),
	} {
		got, err := sshauth.ParseRequest(r.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		refused(t, name, got.Check(b, key))
	}
	good, err := sshauth.ParseRequest(h.Login(key).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "nothing bound", good.Check(sshauth.Binding{}, key))
	sha1 := h.Login(keys["rsa"].PublicKey())
	sha1.Algorithm = ssh.KeyAlgoRSA
	r, err := sshauth.ParseRequest(sha1.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "SHA-1", r.Check(b, keys["rsa"].PublicKey()))
}

func TestParseHost(t *testing.T) {
	h := sshauthtest.NewHost(t)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(h.Signer.PublicKey())))
	for _, good := range []string{
		h.Fingerprint(), h.Fingerprint() + " git.example.com", "git.example.com,10.0.0.1 " + line,
		"[git.example.com]:2222 " + line, "|1|" + "c2FsdA==|aGFzaA== " + line + " a comment", "*.example.com\t" + line,
	} {
		if got, err := sshauth.ParseHost(good); err != nil || got != h.Fingerprint() {
			t.Errorf("%q: %s, %v", good, got, err)
		}
	}
	for _, bad := range []string{
		"", "# a comment", "git.example.com", line, "@cert-authority *.example.com " + line, "@revoked * " + line,
		"SHA256:short", "MD5:00:11", h.Fingerprint() + "x", "git.example.com " + line + "\nother " + line, "git.example.com ssh-rsa " + strings.Fields(line)[1],
		strings.Repeat("x", 9<<10) + " " + line,
	} {
		if got, err := sshauth.ParseHost(bad); err == nil {
			t.Errorf("%q: %s", bad, got)
		}
	}
}

// What is accepted is what is signed, to the byte, and names the session it is for.
func FuzzParseRequest(f *testing.F) {
	h := sshauthtest.NewHost(f)
	login := h.Login(signers(f)["ed25519"].PublicKey())
	f.Add(login.Bytes())
	f.Add(h.Hostbound(login).Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := sshauth.ParseRequest(data)
		if err != nil {
			return
		}
		if !bytes.Contains(data, []byte("\x00\x00\x00\x0essh-connection")) || !bytes.Contains(data, []byte("publickey")) || strings.ContainsRune(r.User, 0) {
			t.Errorf("accepts %q as %+v", data, r)
		}
	})
}

func FuzzBind(f *testing.F) {
	h := sshauthtest.NewHost(f)
	f.Add(h.Key(), h.Session, h.Signature)
	f.Fuzz(func(t *testing.T, key, session, signature []byte) {
		b, err := sshauth.Bind(key, session, signature)
		if err == nil && !strings.HasPrefix(b.Host, "SHA256:") {
			t.Errorf("bound to %q", b.Host)
		}
	})
}
