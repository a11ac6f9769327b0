package sshagent_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/cortex-auth/cortex/daemon/drop"
	"github.com/cortex-auth/cortex/daemon/sshagent"
	"github.com/cortex-auth/cortex/vault/sshauth/sshauthtest"
)

// A stage is an agent at a socket, with keys that sign here.
type stage struct {
	t    *testing.T
	path string
	keys map[string]ssh.AlgorithmSigner // by their names
	host sshauthtest.Host               // all keys are for it

	mu      sync.Mutex
	refused []string
	signed  int
}

// serve returns an agent with an Ed25519 key and an RSA key.
func serve(t *testing.T) *stage { return serveWith(t, func(*sshagent.Agent) {}) }

// serveWith is serve for an agent that is made ready first.
func serveWith(t *testing.T, prepare func(*sshagent.Agent)) *stage {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, host: sshauthtest.NewHost(t), keys: map[string]ssh.AlgorithmSigner{}}
	a := &sshagent.Agent{Sign: s.sign, Refused: s.hear, Bin: new(drop.Bin)}
	for name, key := range map[string]any{"ED": ed, "RSA": r} {
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		s.keys[name] = signer.(ssh.AlgorithmSigner)
		k, err := sshagent.ParseKey(name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))+" path/of/"+name, []string{s.host.Fingerprint()})
		if err != nil {
			t.Fatal(err)
		}
		a.Keys = append(a.Keys, k)
	}
	slices.SortFunc(a.Keys, func(x, y sshagent.Key) int { return strings.Compare(x.Name, y.Name) })
	prepare(a)
	s.listen(a)
	return s
}

func (s *stage) listen(a *sshagent.Agent) {
	s.t.Helper()
	dir, err := os.MkdirTemp("", "a") // short, for the path of a socket
	if err != nil {
		s.t.Fatal(err)
	}
	s.path = filepath.Join(dir, "agent")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.path, Net: "unix"})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Serve(ctx, l)
	}()
	s.t.Cleanup(func() {
		stop()
		<-done
		os.RemoveAll(dir)
	})
}

// sign signs as the vault would.
func (s *stage) sign(_ context.Context, l sshagent.Login) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed++
	algorithm := ""
	if l.Key.Name == "RSA" {
		algorithm = ssh.KeyAlgoRSASHA512
	}
	sig, err := s.keys[l.Key.Name].SignWithAlgorithm(rand.Reader, l.Request, algorithm)
	return ssh.Marshal(sig), err
}

func (s *stage) hear(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, err.Error())
}

// wantRefused fails unless what was refused last says so, and nothing was signed.
func (s *stage) wantRefused(what string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refused) == 0 || !strings.Contains(s.refused[len(s.refused)-1], what) {
		s.t.Errorf("heard %q, want %q", s.refused, what)
	}
	if s.signed > 0 {
		s.t.Error("signed")
	}
}

func (s *stage) dial() *net.UnixConn {
	s.t.Helper()
	conn, err := net.Dial("unix", s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}

// client returns a client of the agent.
func (s *stage) client() agent.ExtendedAgent { return agent.NewClient(s.dial()) }

// bind is what OpenSSH tells an agent.
type bind struct {
	HostKey, Session, Signature []byte
	Forwarding                  bool
}

func bindTo(h sshauthtest.Host) bind {
	return bind{HostKey: h.Key(), Session: h.Session, Signature: h.Signature}
}

func (b bind) send(a agent.ExtendedAgent) error {
	_, err := a.Extension("session-bind@openssh.com", ssh.Marshal(b))
	return err
}

// bound returns a client that has said that it is for the host.
func (s *stage) bound() agent.ExtendedAgent {
	s.t.Helper()
	a := s.client()
	if err := bindTo(s.host).send(a); err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *stage) login(key string) []byte { return s.host.Login(s.keys[key].PublicKey()).Bytes() }

func TestLogin(t *testing.T) {
	s := serve(t)
	for key, flags := range map[string]agent.SignatureFlags{"ED": 0, "RSA": agent.SignatureFlagRsaSha512} {
		for _, data := range [][]byte{s.login(key), s.host.Hostbound(s.host.Login(s.keys[key].PublicKey())).Bytes()} {
			sig, err := s.bound().SignWithFlags(s.keys[key].PublicKey(), data, flags)
			if err != nil {
				t.Fatalf("%s: %v, %q", key, err, s.refused)
			}
			if err := s.keys[key].PublicKey().Verify(data, sig); err != nil {
				t.Error(err)
			}
		}
	}
	if len(s.refused) > 0 {
		t.Errorf("refused %q", s.refused)
	}
}

func TestList(t *testing.T) {
	s := serve(t)
	for _, a := range []agent.ExtendedAgent{s.client(), s.bound()} {
		keys, err := a.List()
		if err != nil || len(keys) != 2 || !strings.HasPrefix(keys[0].Comment, "path/of/") {
			t.Errorf("got %v, %v", keys, err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	other := sshauthtest.NewHost(t)
	for name, c := range map[string]struct {
		try  func(*stage) error
		want string
	}{
		"nothing bound": {func(s *stage) error {
			_, err := s.client().Sign(s.keys["ED"].PublicKey(), s.login("ED"))
			return err
		}, "has not said which host"},
		"another session": {func(s *stage) error {
			_, err := s.bound().Sign(s.keys["ED"].PublicKey(), sshauthtest.NewSession(s.t, s.host.Signer).Login(s.keys["ED"].PublicKey()).Bytes())
			return err
		}, "for another session"},
		"another host": {func(s *stage) error {
			_, err := s.bound().Sign(s.keys["ED"].PublicKey(), other.Hostbound(s.host.Login(s.keys["ED"].PublicKey())).Bytes())
			return err
		}, "for another host"},
		"another key": {func(s *stage) error {
			_, err := s.bound().Sign(s.keys["ED"].PublicKey(), s.login("RSA"))
			return err
		}, "for another key"},
		"a key that is not here": {func(s *stage) error {
			_, err := s.bound().Sign(other.Signer.PublicKey(), s.login("ED"))
			return err
		}, "a key that is not here"},
		"SSHSIG": {func(s *stage) error {
			_, err := s.bound().Sign(s.keys["ED"].PublicKey(), append([]byte("SSHSIG"), make([]byte, 100)...))
			return err
		}, "no request to log in"},
		"raw data": {func(s *stage) error {
			_, err := s.bound().Sign(s.keys["ED"].PublicKey(), make([]byte, 32))
			return err
		}, "no request to log in"},
		"SHA-1": {func(s *stage) error {
			r := s.host.Login(s.keys["RSA"].PublicKey())
			r.Algorithm = ssh.KeyAlgoRSA
			_, err := s.bound().Sign(s.keys["RSA"].PublicKey(), r.Bytes())
			return err
		}, `as "ssh-rsa"`},
		"another hash than named": {func(s *stage) error {
			_, err := s.bound().SignWithFlags(s.keys["RSA"].PublicKey(), s.login("RSA"), agent.SignatureFlagRsaSha256)
			return err
		}, "another signature than rsa-sha2-512"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			if c.try(s) == nil {
				t.Error("no error")
			}
			s.wantRefused(c.want)
		})
	}
}

// A bind that is not good uses up the connection, and so does a good one.
func TestBindRefuses(t *testing.T) {
	stranger := sshauthtest.NewHost(t)
	for name, c := range map[string]struct {
		change func(*bind)
		want   string
	}{
		"another's signature":  {func(b *bind) { b.Signature = stranger.Signature }, "not of this session"},
		"another's key":        {func(b *bind) { b.HostKey = stranger.Key() }, "not of this session"},
		"forwarding":           {func(b *bind) { b.Forwarding = true }, "not forwarded"},
		"no key":               {func(b *bind) { b.HostKey = nil }, "cannot be read"},
		"a host nobody listed": {func(b *bind) { *b = bindTo(stranger) }, stranger.Fingerprint() + " is not listed for ED, RSA"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			a, b := s.client(), bindTo(s.host)
			c.change(&b)
			if b.send(a) == nil {
				t.Error("no error")
			}
			s.wantRefused(c.want)
			if bindTo(s.host).send(a) == nil {
				t.Error("bound at the second try")
			}
			if _, err := a.Sign(s.keys["ED"].PublicKey(), s.login("ED")); err == nil {
				t.Error("signed")
			}
			s.wantRefused("")
		})
	}
	t.Run("twice", func(t *testing.T) {
		s := serve(t)
		a := s.bound()
		if bindTo(stranger).send(a) == nil {
			t.Error("bound twice")
		}
		s.wantRefused("a second session")
		if _, err := a.Sign(s.keys["ED"].PublicKey(), stranger.Login(s.keys["ED"].PublicKey()).Bytes()); err == nil {
			t.Error("signed for the second")
		}
	})
}

// A key is for its own hosts, and is not shown to others.
func TestHosts(t *testing.T) {
	other, stranger := sshauthtest.NewHost(t), sshauthtest.NewHost(t)
	s := serveWith(t, func(a *sshagent.Agent) { a.Keys[1].Hosts = []string{other.Fingerprint()} })
	for _, c := range []struct {
		at    sshauthtest.Host
		shown []string
	}{
		{s.host, []string{"path/of/ED"}}, {other, []string{"path/of/RSA"}}, {stranger, nil},
	} {
		a := s.client()
		bindTo(c.at).send(a)
		keys, err := a.List()
		if err != nil {
			t.Fatal(err)
		}
		var shown []string
		for _, k := range keys {
			shown = append(shown, k.Comment)
		}
		if !slices.Equal(shown, c.shown) {
			t.Errorf("shows %q, want %q", shown, c.shown)
		}
		if slices.Contains(c.shown, "path/of/ED") {
			continue
		}
		if _, err := a.Sign(s.keys["ED"].PublicKey(), c.at.Login(s.keys["ED"].PublicKey()).Bytes()); err == nil {
			t.Error("logs in to a host of another key")
		}
		s.wantRefused(c.at.Fingerprint() + " is not listed for ED")
	}
}

func TestNothingElse(t *testing.T) {
	s := serve(t)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func(agent.ExtendedAgent) error{
		"add":        func(a agent.ExtendedAgent) error { return a.Add(agent.AddedKey{PrivateKey: key}) },
		"remove":     func(a agent.ExtendedAgent) error { return a.Remove(s.keys["ED"].PublicKey()) },
		"remove all": func(a agent.ExtendedAgent) error { return a.RemoveAll() },
		"lock":       func(a agent.ExtendedAgent) error { return a.Lock([]byte("x")) },
		"unlock":     func(a agent.ExtendedAgent) error { return a.Unlock([]byte("x")) },
	} {
		if try(s.bound()) == nil {
			t.Errorf("%s: no error", name)
		}
		s.wantRefused("keys are kept in the vault, and not here")
	}
	if keys, err := s.client().List(); err != nil || len(keys) != 2 {
		t.Errorf("left are %v, %v", keys, err)
	}
	for _, name := range []string{"query", "nothing@example.com", "restrict-destination-v00@openssh.com"} {
		if _, err := s.client().Extension(name, nil); err == nil {
			t.Errorf("has the extension %s", name)
		}
	}
}

// send sends a frame and returns the kind of the answer, 0 if the agent hung up.
func (s *stage) send(frame []byte) byte {
	s.t.Helper()
	conn := s.dial()
	if _, err := conn.Write(frame); err != nil {
		s.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	answer := make([]byte, 5)
	if _, err := io.ReadFull(conn, answer); errors.Is(err, os.ErrDeadlineExceeded) {
		s.t.Fatal(err)
	}
	return answer[4]
}

func framed(kind byte, body string) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(1+len(body))), kind), body...)
}

func TestFrames(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		frame []byte
		want  byte
	}{
		"empty":                  {[]byte{0, 0, 0, 0}, 0},
		"huge":                   {[]byte{0xff, 0xff, 0xff, 0xff, 11}, 0},
		"a bit too long":         {append(binary.BigEndian.AppendUint32(nil, 32<<10+1), 11), 0},
		"unknown":                {framed(255, ""), 5},
		"version 1":              {framed(1, ""), 5},
		"a smart card":           {framed(20, "x"), 5},
		"half a request":         {framed(13, "\x00\x00\x00\x05abc"), 5},
		"a request and more":     {framed(13, string(make([]byte, 13))), 5},
		"an extension of nobody": {framed(27, ""), 5},
		"a bind of nothing":      {framed(27, "\x00\x00\x00\x18session-bind@openssh.com"), 5},
	} {
		if got := s.send(c.frame); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if s.signed > 0 {
		t.Error("signed")
	}
}

// Clients that stay do not keep others out for ever, nor take all there is.
func TestCrowd(t *testing.T) {
	s := serve(t)
	for range 16 {
		if _, err := s.client().List(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.client().List(); err == nil {
		t.Error("serves any number of clients")
	}
	s.wantRefused("more than 16 connections")
}

// Many log-ins are one after the other, or slower.
func TestHaste(t *testing.T) {
	s := serve(t)
	a := s.bound()
	for range 120 {
		if _, err := a.Sign(s.keys["ED"].PublicKey(), s.login("ED")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Sign(s.keys["ED"].PublicKey(), s.login("ED")); err == nil {
		t.Error("signs at any rate")
	}
	if len(s.refused) != 1 || !strings.Contains(s.refused[0], "too many log-ins at once: 120 within 1m0s") {
		t.Errorf("heard %q", s.refused)
	}
}
