package notify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// A guard decides which addresses may be dialled: a channel must not make the
// server talk to what only the server can reach. It looks at the address that
// is dialled, not at the name, which can change its mind between two look-ups.
type guard struct {
	networks []netip.Prefix // private ones that names may lead to
}

// errAddress: the receiver's address is not one to talk to.
var errAddress = errors.New("the address is not allowed")

// never lists what nobody has a receiver at: this network, link-local addresses
// and the metadata services of clouds, which give out credentials.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/128", "fe80::/10", "ff00::/8",
	"100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32",
)

// inner lists addresses of this machine and of private networks.
var inner = prefixes(
	"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15",
	"::1/128", "fc00::/7", "fec0::/10",
)

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// allows reports whether addr may be dialled. literal says that the config has
// the address itself: then somebody meant it.
func (g guard) allows(addr netip.Addr, literal bool) bool {
	addr = plain(addr)
	return addr.IsValid() && !within(addr, never) && (literal || !within(addr, inner) || within(addr, g.networks))
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// plain returns the IPv4 address in an IPv6 one that leads there: mapped,
// through NAT64 or 6to4.
func plain(addr netip.Addr) netip.Addr {
	addr = addr.WithZone("").Unmap()
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return addr
}

// dial is [net.Dialer.DialContext] for what is allowed.
func (g guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errAddress
	}
	_, err = netip.ParseAddr(host)
	literal := err == nil
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !g.allows(at.Addr(), literal) {
			return errAddress
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}
