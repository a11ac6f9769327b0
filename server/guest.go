package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"time"
)

// A guest is a connection. A nil one is of a listener without limits.
type guest struct {
	net.Conn
	house *guests

	place   int // in those present, or gone
	party   *party
	since   time.Time // when it last began or ended something
	serving int       // requests under way that it stays for
}

// gone is the place of a guest that has none.
const gone = -1

// compare orders guests, the least welcome first: strangers before those who are
// known, then from where there are most, then who has done nothing for longest.
func (o *guest) compare(other *guest) int {
	return cmp.Or(
		cmp.Compare(o.party.standing, other.party.standing),
		cmp.Compare(other.party.size, o.party.size),
		o.since.Compare(other.since),
	)
}

// Close closes the connection, and gives its place back.
func (o *guest) Close() error {
	o.house.mu.Lock()
	o.house.remove(o)
	o.house.mu.Unlock()
	return o.Conn.Close()
}

// stir notes that a request begins or ends.
func (o *guest) stir() {
	if o == nil {
		return
	}
	o.house.mu.Lock()
	defer o.house.mu.Unlock()
	o.since = time.Now()
}

// serve notes a request that the connection stays for until it is served.
func (o *guest) serve() {
	if o == nil {
		return
	}
	o.house.mu.Lock()
	defer o.house.mu.Unlock()
	o.serving++
}

// served notes that such a request is over.
func (o *guest) served() {
	if o == nil {
		return
	}
	o.house.mu.Lock()
	defer o.house.mu.Unlock()
	o.serving--
	o.since = time.Now() // its answer may still be on its way
}

// welcome notes that it is somebody who is known.
func (o *guest) welcome() {
	if o == nil {
		return
	}
	o.house.mu.Lock()
	defer o.house.mu.Unlock()
	if o.place != gone && o.party.standing == stranger {
		o.house.part(o)
		o.house.join(o, partyKey{o.party.source, known})
	}
}

// guestOf returns the guest that c is, or that speaks TLS through it; nil if there is none.
func guestOf(c net.Conn) *guest {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	o, _ := c.(*guest)
	return o
}

// A guestKey is under what the context of a request has its guest.
type guestKey struct{}

func withGuest(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, guestKey{}, guestOf(c))
}

func guestIn(ctx context.Context) *guest {
	o, _ := ctx.Value(guestKey{}).(*guest)
	return o
}
