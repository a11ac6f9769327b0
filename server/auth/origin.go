package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/vault/audit"
)

// Proxies are the networks whose word about the client's address is taken. The
// zero value trusts nobody.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks with commas between them, such as
// "127.0.0.1,10.0.0.0/8".
func ParseProxies(s string) (Proxies, error) { return ParseNetworks("trusted proxy", s) }

// ParseNetworks reads addresses and networks with commas between them, such as
// "10.0.0.0/8,fd12::/16". An error says what the networks are for.
func ParseNetworks(what, s string) (all []netip.Prefix, err error) {
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		network, err := parseNetwork(item)
		if err != nil {
			return nil, fmt.Errorf("%s %q: want an address or a network, such as 10.0.0.0/8", what, item)
		}
		all = append(all, network)
	}
	return all, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Trusts reports whether addr is a proxy's.
func (p Proxies) Trusts(addr netip.Addr) bool {
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// ClientOf returns the far end of r. That is the socket's, unless the socket
// is a trusted proxy's: then it is the last address in X-Forwarded-For that is
// not a trusted proxy's itself, because everything before it is hearsay.
// X-Real-IP counts where a trusted proxy sends no X-Forwarded-For.
func ClientOf(r *http.Request, proxies Proxies) Client {
	addr := peer(r.RemoteAddr)
	if proxies.Trusts(addr) {
		addr = forwarded(r.Header, addr, proxies)
	}
	c := Client{Source: limit.Source(addr)}
	if addr.IsValid() {
		c.Origin.Source = addr.String()
		c.Origin.Meta.SourceIP = &c.Origin.Source
	}
	return c
}

func peer(remote string) netip.Addr {
	p, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap().WithZone("")
}

// maxHops is how many proxies are followed.
const maxHops = 16

func forwarded(h http.Header, proxy netip.Addr, proxies Proxies) netip.Addr {
	chain := h.Values("X-Forwarded-For")
	if len(chain) == 0 {
		chain = h.Values("X-Real-IP")
	}
	hops := strings.Split(strings.Join(chain, ","), ",")
	addr := proxy
	for i := len(hops) - 1; i >= 0 && len(hops)-i <= maxHops; i-- {
		hop, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			return addr // what the last trusted proxy could not say, nobody can
		}
		if addr = hop; !proxies.Trusts(hop) {
			return hop
		}
	}
	return addr
}

// parseHop reads an address; some proxies add the port.
func parseHop(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		with, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, err
		}
		addr = with.Addr()
	}
	return addr.Unmap().WithZone(""), nil
}

// ActingFor returns c with what it says of the process that it acts for. Only
// routes that record it for those they let in should ask: a stranger's words
// need no room in the record.
func (c Client) ActingFor(h http.Header) Client {
	c.Origin.Meta = callerOf(h, c.Origin.Meta.SourceIP)
	return c
}

func callerOf(h http.Header, source *string) audit.Caller {
	c := audit.Caller{
		SourceIP:     source,
		BinarySHA256: text(h, "X-Cortex-Caller-Binary-Sha256", 128),
		ArgvHash:     text(h, "X-Cortex-Caller-Argv-Hash", 128),
		CWD:          text(h, "X-Cortex-Caller-Cwd", 1024),
		GitCommit:    text(h, "X-Cortex-Caller-Git-Commit", 128),
		Hostname:     text(h, "X-Cortex-Hostname", 255),
		OS:           text(h, "X-Cortex-Os", 128),
	}
	if pid, err := strconv.ParseInt(h.Get("X-Cortex-Caller-Pid"), 10, 64); err == nil {
		c.PID = &pid
	}
	return c
}

// text returns a header for the record, nil if it is absent or nothing that a
// person should have to look at.
func text(h http.Header, name string, longest int) *string {
	s := h.Get(name)
	if s == "" || len(s) > longest || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return nil
	}
	return &s
}
