package auth

import (
	"net/http"
	"net/netip"
	"strings"
)

// ServerOrigin returns the URL that a client reached this server by, as far as
// the server can tell: scheme, host and port, in lower case and without a default
// port, as in "https://vault.example.com:3000". What a trusted proxy says of it
// counts. It is "" for a host that cannot be one.
func ServerOrigin(r *http.Request, proxies Proxies) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if proxies.Trusts(peer(r.RemoteAddr)) {
		if s := r.Header.Get("X-Forwarded-Proto"); s == "http" || s == "https" {
			scheme = s
		}
		if h := r.Header.Get("X-Forwarded-Host"); h != "" {
			host = h
		}
	}
	host = strings.TrimSuffix(strings.ToLower(host), map[string]string{"http": ":80", "https": ":443"}[scheme])
	if !plausible(host) {
		return ""
	}
	return scheme + "://" + host
}

// plausible reports whether s looks like a host with or without a port. Whoever
// sends a request chooses it.
func plausible(s string) bool {
	if _, err := netip.ParseAddrPort(s); err == nil {
		return true
	}
	if inside, ok := strings.CutPrefix(s, "["); ok {
		_, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		return err == nil
	}
	return s != "" && len(s) <= 255 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-._:") == ""
}
