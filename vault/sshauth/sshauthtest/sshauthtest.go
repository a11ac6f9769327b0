// Package sshauthtest makes what hosts and clients of SSH would, for tests.
package sshauthtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A Host is one end of an SSH session.
type Host struct {
	Signer ssh.Signer
	// Session is the session's id, and Signature the host's signature of it.
	Session, Signature []byte
}

// NewHost returns a host with a new Ed25519 key, in a session.
func NewHost(t testing.TB) Host {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return NewSession(t, signer)
}

// NewSession returns a session with a host.
func NewSession(t testing.TB, host ssh.Signer) Host {
	t.Helper()
	h := Host{Signer: host, Session: make([]byte, 32)}
	rand.Read(h.Session)
	algorithm := ""
	if host.PublicKey().Type() == ssh.KeyAlgoRSA {
		algorithm = ssh.KeyAlgoRSASHA512
	}
	sig, err := host.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, h.Session, algorithm)
	if err != nil {
		t.Fatal(err)
	}
	h.Signature = ssh.Marshal(sig)
	return h
}

// Key returns the public half of the host's key as it goes over the wire.
func (h Host) Key() []byte { return h.Signer.PublicKey().Marshal() }

// Fingerprint returns that of the host's key.
func (h Host) Fingerprint() string { return ssh.FingerprintSHA256(h.Signer.PublicKey()) }

// A Request is a request to log in that may be anything but one.
type Request struct {
	Session               []byte
	Message               byte
	User, Service, Method string
	Signed                bool
	Algorithm             string
	Key                   []byte
	Rest                  []byte `ssh:"rest"`
}

// Login returns the request to log in to the session with a key, as the user git.
func (h Host) Login(key ssh.PublicKey) Request {
	algorithm := key.Type()
	if algorithm == ssh.KeyAlgoRSA {
		algorithm = ssh.KeyAlgoRSASHA512
	}
	return Request{
		Session: h.Session, Message: 50, User: "git", Service: "ssh-connection", Method: "publickey",
		Signed: true, Algorithm: algorithm, Key: key.Marshal(),
	}
}

// Hostbound returns r in the form that names the host's key.
func (h Host) Hostbound(r Request) Request {
	r.Method, r.Rest = "publickey-hostbound-v00@openssh.com", ssh.Marshal(struct{ Key []byte }{h.Key()})
	return r
}

// Bytes returns what is signed.
func (r Request) Bytes() []byte { return ssh.Marshal(r) }
