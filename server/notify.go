package server

import (
	"net"
	"net/netip"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells whoever started the server how it is, if they listen.
func (p program) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		p.log.Warn("notifying the service manager", "err", err)
	}
}

// baseURL returns the URL that programs on this machine reach a listener by.
func baseURL(addr net.Addr, secure bool) string {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return scheme + addr.String() // unreachable: it is a TCP address
	}
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	}
	return scheme + netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String()
}
