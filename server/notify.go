package server

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/cortex-auth/cortex/vault"
)

// notify tells whoever started the server how it is, if they listen.
func (p program) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		p.log.Warn("notifying the service manager", "err", err)
	}
}

// notifyReloading tells that what is in force changes, until the next READY=1.
// Type=notify-reload wants to know when.
func (p program) notifyReloading() {
	if usec := daemon.SdNotifyMonotonicUsec(); usec != "" {
		p.notify(daemon.SdNotifyReloading + "\n" + usec)
	}
}

// watchdog tells the service manager, if it wants to know, that the server
// still works, twice in each of its intervals, until ctx ends. It reads the
// vault before: a server whose file does not answer any more says nothing, and
// is started anew.
func (p program) watchdog(ctx context.Context, v *vault.Vault) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		p.log.Warn("the service manager's watchdog", "err", err)
	}
	if interval <= 0 || err != nil {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		_ = v.Health(ctx) // what it says is for /health; that it returns counts
		p.notify(daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
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
