package server

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/cortex-auth/cortex/server/limit"
)

// How many connections there may be, in all and from one source.
const (
	maxConns       = 2048
	maxConnsSource = 256
)

// A guests is a listener that limits connections. Where there are too many, or
// too few descriptors, a new one takes the place of the least welcome: whoever
// holds connections open and says nothing keeps nobody else out. Where all are
// at work for somebody who is known, or try a password, the new one is closed.
type guests struct {
	net.Listener
	trusts func(netip.Addr) bool

	mu      sync.Mutex // guards what follows, and all that guests and parties hold
	present []*guest   // in no order
	parties map[partyKey]*party
}

// A standing is how welcome a guest is.
type standing int

const (
	stranger standing = iota // nobody has proved who it is, yet
	known
	proxy // speaks for many, and has no limit of its own
)

type partyKey struct {
	source   netip.Prefix
	standing standing
}

// A party is those guests from one source that are equally welcome.
type party struct {
	partyKey
	size int
}

// newGuests limits l. Those that trusts says are proxies are limited together
// only.
func newGuests(l net.Listener, trusts func(netip.Addr) bool) *guests {
	return &guests{Listener: l, trusts: trusts, parties: map[partyKey]*party{}}
}

// Accept returns the next connection that there is a place for.
func (g *guests) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if outOfDescriptors(err) && g.turnOut(anybody) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if key := g.look(conn); g.makeRoom(key) {
			return g.enter(conn, key), nil
		}
		conn.Close()
	}
}

func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// look says where a new connection belongs.
func (g *guests) look(conn net.Conn) partyKey {
	var addr netip.Addr
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		addr = tcp.AddrPort().Addr().Unmap()
	}
	key := partyKey{source: limit.Source(addr)}
	if g.trusts(addr) {
		key.standing = proxy
	}
	return key
}

// makeRoom sees to it that there is a place for one more, and reports whether
// there is.
func (g *guests) makeRoom(key partyKey) bool {
	all, same := g.count(key.source)
	switch {
	case same >= maxConnsSource && key.standing != proxy:
		return g.turnOut(func(o *guest) bool { return o.party.source == key.source })
	case all >= maxConns:
		return g.turnOut(anybody)
	}
	return true
}

// count returns how many guests there are, and how many from a source.
func (g *guests) count(source netip.Prefix) (all, same int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range []standing{stranger, known, proxy} {
		if p := g.parties[partyKey{source, s}]; p != nil {
			same += p.size
		}
	}
	return len(g.present), same
}

func anybody(*guest) bool { return true }

// turnOut closes the least welcome connection among those it may close, and
// reports whether there was one.
func (g *guests) turnOut(among func(*guest) bool) bool {
	g.mu.Lock()
	least := g.leastWelcome(among)
	if least != nil {
		g.remove(least)
	}
	g.mu.Unlock()
	if least == nil {
		return false
	}
	least.Conn.Close() // the server notices, and forgets it
	return true
}

func (g *guests) leastWelcome(among func(*guest) bool) (least *guest) {
	for _, o := range g.present {
		if o.serving == 0 && among(o) && (least == nil || o.compare(least) < 0) {
			least = o
		}
	}
	return least
}

func (g *guests) enter(conn net.Conn, key partyKey) *guest {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := &guest{Conn: conn, house: g, since: time.Now(), place: len(g.present)}
	g.present = append(g.present, o)
	g.join(o, key)
	return o
}

func (g *guests) join(o *guest, key partyKey) {
	p := g.parties[key]
	if p == nil {
		p = &party{partyKey: key}
		g.parties[key] = p
	}
	p.size++
	o.party = p
}

func (g *guests) part(o *guest) {
	if o.party.size--; o.party.size == 0 {
		delete(g.parties, o.party.partyKey)
	}
}

func (g *guests) remove(o *guest) {
	if o.place == gone {
		return
	}
	last := g.present[len(g.present)-1]
	g.present[o.place], last.place = last, o.place
	g.present = g.present[:len(g.present)-1]
	o.place = gone
	g.part(o)
}
