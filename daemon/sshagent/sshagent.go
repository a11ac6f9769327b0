// Package sshagent is an SSH agent that has no keys. It shows clients the public
// halves of keys that the vault has, and passes on to the vault what a client wants
// signed, if that is a request to log in to a host that the key is for: see package
// sshauth. Keys cannot be added, removed, locked or taken out.
//
// A client tells which host a connection to the agent is used for before it asks for
// anything, as OpenSSH does since 8.9. A connection serves one log-in: it is bound
// once, and a bind that is not good uses that up. Else whoever is at the far end of a
// forwarded connection would bind it to a host of their own choice.
package sshagent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/daemon/drop"
	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/vault/sshauth"
)

// A Key is the public half of a key in the vault.
type Key struct {
	// Name is the variable that the project has it as, Path where it is in the vault.
	Name, Path string
	Public     ssh.PublicKey
	// Hosts are the fingerprints of the keys of the hosts it logs in to.
	Hosts []string
}

// ParseKey returns the key whose public half is a line of authorized_keys, with its
// path as the comment.
func ParseKey(name, line string, hosts []string) (Key, error) {
	public, path, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return Key{}, fmt.Errorf("reading the public half of %s: %w", name, err)
	}
	return Key{Name: name, Path: path, Public: public, Hosts: hosts}, nil
}

// A Login is what the vault signs.
type Login struct {
	Key Key
	// HostKey is the host's, and HostSignature its signature of the session's id.
	HostKey, Session, HostSignature []byte
	// Request is what to sign.
	Request []byte
}

// A HostError says that a key is not for a host.
type HostError struct {
	Host string // the fingerprint
	// Keys are those that were asked for.
	Keys []Key
}

// Error names the host and the keys.
func (e *HostError) Error() string {
	var names []string
	for _, k := range e.Keys {
		names = append(names, k.Name)
	}
	return fmt.Sprintf("the host with the key %s is not listed for %s", e.Host, strings.Join(names, ", "))
}

// Unwrap returns [sshauth.ErrRefused].
func (e *HostError) Unwrap() error { return sshauth.ErrRefused }

// An Agent serves the connections to one socket.
type Agent struct {
	Keys []Key
	// Sign has the vault sign.
	Sign func(context.Context, Login) (signature []byte, err error)
	// Refused hears why something was not done. It may be called concurrently.
	Refused func(error)
	// Admit returns an error for a process that is not to be served. If nil, those of
	// this user are.
	Admit func(*peer.Peer) error
	// Bin closes what clients have sent that is no message, and connections.
	Bin *drop.Bin

	mu     sync.Mutex  // guards what follows
	signed []time.Time // signatures that were asked for lately
}

// The limits of one socket.
const (
	maxConnections = 16
	maxSignatures  = 120 // within signatureTime
	signatureTime  = time.Minute

	acceptPause = 100 * time.Millisecond // after an error
)

// ErrTooMany is in the chain of the error about signatures that come too fast.
var ErrTooMany = errors.New("too many log-ins at once")

// Serve accepts connections until ctx ends, and waits for all of them.
func (a *Agent) Serve(ctx context.Context, l *net.UnixListener) {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, maxConnections)
	for {
		a.Bin.Room(ctx)
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files, which passes
			a.Refused(fmt.Errorf("accepting a connection: %w", err))
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		select {
		case places <- struct{}{}:
			wg.Go(func() {
				defer func() { <-places }()
				a.serve(ctx, conn)
			})
		default:
			a.Refused(fmt.Errorf("%w: more than %d connections", sshauth.ErrRefused, maxConnections))
			a.Bin.Connection(drop.Unknown, conn)
		}
	}
}

// serve answers one client until it goes.
func (a *Agent) serve(ctx context.Context, conn *net.UnixConn) {
	uid, err := a.admit(conn)
	defer a.Bin.Connection(uid, conn)
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if err != nil {
		a.Refused(err)
		return
	}
	if a.Bin.Full(uid) {
		a.Refused(fmt.Errorf("%w: too many descriptors that came from uid %d do not close", sshauth.ErrRefused, uid))
		return
	}
	c, r := connection{agent: a}, drop.Reader{Conn: conn, Bin: a.Bin, UID: uid}
	for {
		kind, body, err := readFrame(r)
		if err != nil {
			if errors.Is(err, sshauth.ErrRefused) || errors.Is(err, drop.ErrDescriptors) { // else the client is gone
				a.Refused(err)
			}
			return
		}
		kind, body, err = c.answer(ctx, kind, body)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a.Refused(err)
			kind, body = answerFailure, nil
		}
		if writeFrame(conn, kind, body) != nil {
			return
		}
	}
}

// admit returns the user of who has connected, and an error if it is not to be served.
func (a *Agent) admit(conn *net.UnixConn) (uid int, err error) {
	p, err := peer.Of(conn)
	if err != nil {
		return drop.Unknown, err
	}
	defer p.Close()
	if a.Admit != nil {
		return p.UID, a.Admit(p)
	}
	if p.UID != os.Geteuid() {
		return p.UID, fmt.Errorf("%w: uid %d", peer.ErrForeign, p.UID)
	}
	return p.UID, nil
}

// keysFor returns the keys that are for a host.
func (a *Agent) keysFor(host string) []Key {
	return slices.DeleteFunc(slices.Clone(a.Keys), func(k Key) bool { return !slices.Contains(k.Hosts, host) })
}

// take counts a signature, unless there were too many.
func (a *Agent) take(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.signed = slices.DeleteFunc(a.signed, func(t time.Time) bool { return now.Sub(t) >= signatureTime })
	if len(a.signed) >= maxSignatures {
		return fmt.Errorf("%w: %d within %v", ErrTooMany, maxSignatures, signatureTime)
	}
	a.signed = append(a.signed, now)
	return nil
}
