// Package sshauth knows what an SSH client shows an agent before it wants
// something signed, and tells what may be signed.
//
// A key that signs whatever it is given can be made to log in anywhere. So a
// signature is given for one thing only, the request to log in of RFC 4252,
// section 7, and only where it is known into which host that leads: the client
// first passes on the host's signature over the session's id, as OpenSSH does
// since 8.9 ([Bind]), and the request must name that session ([Request.Check]).
//
// The daemon and the vault both ask this package. It holds no keys and does no
// I/O.
package sshauth

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// MaxMessage is more bytes than any of what this package reads has.
const MaxMessage = 16 << 10

// ErrRefused is in the chain of every error about what cannot be signed.
var ErrRefused = errors.New("refused")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// A Binding is an SSH session with a host that has shown who it is.
type Binding struct {
	// Host is the fingerprint of the host's key, as in SHA256:….
	Host string

	session, hostKey []byte
}

// Session ids are hashes: RFC 4253, section 7.2.
const (
	minSession = 20
	maxSession = 64
)

// withSHA1 are signatures that nobody should make any more.
var withSHA1 = []string{ssh.KeyAlgoRSA, "ssh-dss"}

// Bind verifies that whoever has the private half of hostKey signed the session's
// id. The key and the signature are in the form they have on the wire. Of a
// certificate only the key counts.
func Bind(hostKey, session, signature []byte) (Binding, error) {
	if n := len(session); n < minSession || n > maxSession {
		return Binding{}, refuse("a session id of %d bytes", n)
	}
	key, err := ssh.ParsePublicKey(hostKey)
	if err != nil {
		return Binding{}, refuse("the host's key cannot be read")
	}
	if c, ok := key.(*ssh.Certificate); ok {
		key = c.Key
	}
	var sig ssh.Signature
	if err := ssh.Unmarshal(signature, &sig); err != nil || len(sig.Rest) > 0 || slices.Contains(withSHA1, sig.Format) {
		return Binding{}, refuse("the host's signature cannot be read, or is made with SHA-1")
	}
	if key.Verify(session, &sig) != nil {
		return Binding{}, refuse("the host's signature is not of this session")
	}
	return Binding{ssh.FingerprintSHA256(key), slices.Clone(session), slices.Clone(hostKey)}, nil
}

// A Request is what a client signs to log in.
type Request struct {
	// User is whom it wants to be on the host.
	User string
	// Algorithm is the signature's.
	Algorithm string

	session, key, hostKey []byte
}

// The fixed parts of a request.
const (
	userauthRequest = 50
	connection      = "ssh-connection"
	publicKey       = "publickey"
	hostbound       = "publickey-hostbound-v00@openssh.com"
)

// form is a request as RFC 4252, section 7, has it. What comes last is empty, or
// the host's key in the form that OpenSSH binds to that.
type form struct {
	Session               []byte
	Message               byte
	User, Service, Method string
	Signed                bool
	Algorithm             string
	Key                   []byte
	HostKey               []byte `ssh:"rest"`
}

// ParseRequest reads a request. Nothing else that SSH or OpenSSH signs is one.
func ParseRequest(data []byte) (Request, error) {
	var f form
	if len(data) > MaxMessage || ssh.Unmarshal(data, &f) != nil || !bytes.Equal(ssh.Marshal(f), data) {
		return Request{}, refuse("it is no request to log in: only these are signed")
	}
	if f.Message != userauthRequest || f.Service != connection || !f.Signed {
		return Request{}, refuse("it is no request to log in: only these are signed")
	}
	r := Request{User: f.User, Algorithm: f.Algorithm, session: f.Session, key: f.Key}
	switch f.Method {
	case publicKey:
		if len(f.HostKey) > 0 {
			return Request{}, refuse("something stands behind the request")
		}
	case hostbound:
		var last struct{ Key []byte }
		if ssh.Unmarshal(f.HostKey, &last) != nil || len(last.Key) == 0 {
			return Request{}, refuse("the request does not end with the host's key")
		}
		r.hostKey = last.Key
	default:
		return Request{}, refuse("it is a request to log in without a key")
	}
	return r, r.checkUser()
}

// maxUser is longer than the name of any user, in bytes.
const maxUser = 256

// checkUser refuses names that would play tricks on whoever reads the record.
func (r Request) checkUser() error {
	bad := func(c rune) bool { return !unicode.IsPrint(c) }
	if len(r.User) > maxUser || !utf8.ValidString(r.User) || bytes.ContainsFunc([]byte(r.User), bad) {
		return refuse("the user's name is not printable text")
	}
	return nil
}

// Check refuses a request that is not for this session, or not for this key.
func (r Request) Check(b Binding, key ssh.PublicKey) error {
	switch {
	case len(b.session) == 0:
		return refuse("the client has not said which host it is for: it takes OpenSSH 8.9 or newer")
	case !bytes.Equal(r.session, b.session):
		return refuse("it is for another session than that with %s", b.Host)
	case r.hostKey != nil && !bytes.Equal(r.hostKey, b.hostKey):
		return refuse("it is for another host than %s", b.Host)
	case !bytes.Equal(r.key, key.Marshal()):
		return refuse("it is for another key")
	case !slices.Contains(algorithms(key), r.Algorithm):
		return refuse("no signature of this key is made as %q", r.Algorithm)
	}
	return nil
}

// algorithms returns how a key may sign: not with SHA-1.
func algorithms(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}
