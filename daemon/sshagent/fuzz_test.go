package sshagent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault/sshauth"
	"github.com/cortex-auth/cortex/vault/sshauth/sshauthtest"
)

// Whatever a client sends, one message after the other, what is signed is a request
// to log in to the host that the connection is bound to.
func FuzzConnection(f *testing.F) {
	host, key := sshauthtest.NewHost(f), newPublicKey(f)
	login := host.Login(key)
	frame := func(kind byte, body []byte) []byte {
		var b bytes.Buffer
		writeFrame(&b, kind, body)
		return b.Bytes()
	}
	bind := frame(askExtension, ssh.Marshal(extension{sessionBind, ssh.Marshal(bindRequest{host.Key(), host.Session, host.Signature, false})}))
	sign := frame(askSignature, ssh.Marshal(signRequest{key.Marshal(), login.Bytes(), 0}))
	f.Add(append(bytes.Clone(bind), sign...))
	f.Add(append(bytes.Clone(bind), frame(askSignature, ssh.Marshal(signRequest{key.Marshal(), host.Hostbound(login).Bytes(), 0}))...))
	f.Add(append(frame(askIdentities, nil), sign...))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := &Agent{
			Keys: []Key{{Name: "K", Public: key, Hosts: []string{host.Fingerprint()}}},
			Sign: func(_ context.Context, l Login) ([]byte, error) {
				r, err := sshauth.ParseRequest(l.Request)
				b, bindErr := sshauth.Bind(l.HostKey, l.Session, l.HostSignature)
				if err != nil || bindErr != nil || b.Host != host.Fingerprint() || r.Check(b, key) != nil {
					t.Errorf("signs %q", l.Request)
				}
				return []byte("signature"), nil
			},
		}
		c := connection{agent: a}
		for from := bytes.NewReader(data); ; {
			kind, body, err := readFrame(from)
			if err != nil {
				return
			}
			c.answer(t.Context(), kind, body)
		}
	})
}

func newPublicKey(f *testing.F) ssh.PublicKey {
	f.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		f.Fatal(err)
	}
	return key
}
