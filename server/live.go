package server

import (
	"cmp"
	"net/netip"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/server/limit"
)

// A Live is the part of a [Config] that can change while a [Server] runs.
type Live struct {
	// Limits is how often clients may do things. If zero, [limit.Defaults].
	Limits limit.Rates
	// Unlimited lets clients do everything as often as they like.
	Unlimited bool
	// Proxies are those whose X-Forwarded-For is believed.
	Proxies auth.Proxies
	// Origins are the web origins whose pages may call the server, such as
	// "https://dashboard.example.com".
	Origins []string
}

func (l Live) rates() limit.Rates {
	if l.Unlimited {
		return limit.Rates{}
	}
	return cmp.Or(l.Limits, limit.Defaults())
}

// A surroundings is what requests that begin now go by.
type surroundings struct {
	proxies auth.Proxies
	cross   crossOrigin
}

// Change lets requests that begin from now on go by l. What was counted against
// a limit before still counts. An origin that is none is an error, and changes
// nothing.
func (s *Server) Change(l Live) error {
	cross, err := newCrossOrigin(l.Origins)
	if err != nil {
		return err
	}
	rates := l.rates()
	s.limits.change(rates)
	s.guard.Change(rates.Failures)
	s.live.Store(&surroundings{l.Proxies, cross})
	return nil
}

// trusts reports whether an address is a proxy's.
func (s *Server) trusts(addr netip.Addr) bool { return s.live.Load().proxies.Trusts(addr) }
