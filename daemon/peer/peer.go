// Package peer tells who is at the other end of a Unix socket.
//
// The kernel says which user and which process it is, as of the moment the
// socket was connected or, seen from the client, began to listen. A process id
// alone may meanwhile belong to another process; a [Peer] knows whether it
// still is the same one.
package peer

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// ErrForeign is returned by [Own] for a process of another user.
var ErrForeign = errors.New("the other end of the socket belongs to another user")

// ErrGone is in the chain of every error about a process that has ended.
var ErrGone = errors.New("the process at the other end has ended")

// A Peer is a process at the other end of a socket.
type Peer struct {
	PID int
	UID int

	handle
}

// Of returns who is at the other end. Close it.
func Of(conn *net.UnixConn) (*Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("asking for the peer: %w", err)
	}
	var p *Peer
	if controlErr := raw.Control(func(fd uintptr) { p, err = of(int(fd)) }); controlErr != nil {
		return nil, fmt.Errorf("asking for the peer: %w", controlErr)
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the peer: %w", err)
	}
	return p, nil
}

// Own is [Of] for a peer that must be a process of this user, else
// [ErrForeign].
func Own(conn *net.UnixConn) (*Peer, error) {
	p, err := Of(conn)
	if err != nil {
		return nil, err
	}
	if p.UID != os.Geteuid() {
		p.Close()
		return nil, fmt.Errorf("%w: uid %d", ErrForeign, p.UID)
	}
	return p, nil
}
