package sshagent

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault/sshauth"
)

// A connection is one client's, for one log-in.
type connection struct {
	agent *Agent
	tried bool // to bind it
	// What it is bound to; zero while it is not.
	binding sshauth.Binding
	bind    bindRequest
}

// answer returns the answer to a message, or an error in place of one.
func (c *connection) answer(ctx context.Context, kind byte, body []byte) (byte, []byte, error) {
	switch kind {
	case askIdentities:
		return answerIdentities, identities(c.keys()), nil
	case askSignature:
		m, err := parse[signRequest](body)
		if err != nil {
			return 0, nil, err
		}
		signature, err := c.sign(ctx, m)
		return answerSignature, ssh.Marshal(struct{ Signature []byte }{signature}), err
	case askExtension:
		m, err := parse[extension](body)
		if err != nil {
			return 0, nil, err
		}
		if m.Name != sessionBind {
			return answerFailure, nil, nil // as an agent does that has not heard of it
		}
		return answerSuccess, nil, c.bindTo(m.Contents)
	}
	return 0, nil, fmt.Errorf("%w: %s: keys are kept in the vault, and not here", sshauth.ErrRefused, cmp.Or(changes[kind], fmt.Sprintf("message %d", kind)))
}

// keys returns those that the client may use.
func (c *connection) keys() []Key {
	if !c.tried {
		return c.agent.Keys
	}
	return c.agent.keysFor(c.binding.Host) // none if that is not good
}

// bindTo binds the connection to a session. It is done once, well or badly.
func (c *connection) bindTo(contents []byte) (err error) {
	if c.tried {
		return fmt.Errorf("%w: a second session on one connection", sshauth.ErrRefused)
	}
	c.tried = true
	m, err := parse[bindRequest](contents)
	if err != nil {
		return err
	}
	if m.Forwarding {
		return fmt.Errorf("%w: the agent is not forwarded to other hosts: run ssh without -A, and with ForwardAgent no", sshauth.ErrRefused)
	}
	b, err := sshauth.Bind(m.HostKey, m.Session, m.Signature)
	if err != nil {
		return err
	}
	c.bind, c.binding = m, b
	if len(c.keys()) == 0 {
		return &HostError{b.Host, c.agent.Keys}
	}
	return nil
}

// sign has the vault sign a request to log in.
func (c *connection) sign(ctx context.Context, m signRequest) ([]byte, error) {
	at := slices.IndexFunc(c.agent.Keys, func(k Key) bool { return bytes.Equal(k.Public.Marshal(), m.Key) })
	if at < 0 {
		return nil, fmt.Errorf("%w: a key that is not here", sshauth.ErrRefused)
	}
	key := c.agent.Keys[at]
	r, err := sshauth.ParseRequest(m.Data)
	if err == nil {
		err = r.Check(c.binding, key.Public)
	}
	if err != nil {
		return nil, err
	}
	if want, rsa := flags[r.Algorithm]; rsa && m.Flags != want {
		return nil, fmt.Errorf("%w: another signature than %s, which the request names", sshauth.ErrRefused, r.Algorithm)
	}
	if !slices.Contains(key.Hosts, c.binding.Host) {
		return nil, &HostError{c.binding.Host, []Key{key}}
	}
	if err := c.agent.take(time.Now()); err != nil {
		return nil, err
	}
	return c.agent.Sign(ctx, Login{key, c.bind.HostKey, c.bind.Session, c.bind.Signature, m.Data})
}
