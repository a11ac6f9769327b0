package spawn

import (
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// A pulse is how often systemd hears from this process, 0 for never. A program can
// stop the spawner, which is of its own user; systemd then hears nothing, and being
// root kills the spawner and all that it has started. It listens to the process that
// it has started alone, so a program cannot speak for it.
type pulse time.Duration

// newPulse returns the one that systemd asks for: thrice as often as it has to be.
func newPulse() pulse {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0
	}
	return pulse(d / 3)
}

func (p pulse) beat() {
	if p > 0 {
		daemon.SdNotify(false, daemon.SdNotifyWatchdog)
	}
}

// keep beats until stop is called.
func (p pulse) keep() (stop func()) {
	if p == 0 {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		for {
			p.beat()
			select {
			case <-done:
				return
			case <-time.After(time.Duration(p)):
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}

// next is by when something has to be read for the pulse to go on.
func (p pulse) next() time.Time {
	if p == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(p))
}
