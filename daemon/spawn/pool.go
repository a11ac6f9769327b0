package spawn

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
)

// ErrBusy means that each of the users that programs can be is taken by one.
var ErrBusy = errors.New("as many programs run as there are users for them")

// A pool starts monitors by spawners, each of a user of its own. A user is taken
// from before there is a monitor until nothing of its run is left, and is nobody
// else's meanwhile.
type pool struct {
	size  int
	freed func() // is called when there is one more to take

	mu   sync.Mutex // guards what follows
	free []string   // the sockets of spawners that nobody has, the longest free first
}

func newPool(socks []string, freed func()) *pool {
	return &pool{size: len(socks), freed: freed, free: slices.Clone(socks)}
}

// launch starts a monitor as a user whom no other run has. It waits for none: there
// is [ErrBusy]. A spawner that does not work is passed over for another one.
func (p *pool) launch(files []*os.File) (process, tty, error) {
	var tried []string
	var failed error
	for {
		sock := p.take(tried)
		if sock == "" {
			break
		}
		f, t, err := remote{sock}.launch(files)
		if err == nil {
			f.gone = func() {
				p.giveBack(sock)
				p.freed()
			}
			return f, t, nil
		}
		p.giveBack(sock)
		tried, failed = append(tried, sock), cmp.Or(failed, err)
	}
	switch {
	case failed == nil:
		return nil, tty{}, ErrBusy
	case len(tried) < p.size: // another one may do it when it is free
		return nil, tty{}, fmt.Errorf("%w, and another one is no good: %w", ErrBusy, failed)
	}
	return nil, tty{}, failed
}

// take takes a spawner that is free and none of those, "" if there is none.
func (p *pool) take(but []string) (sock string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.free, func(s string) bool { return !slices.Contains(but, s) })
	if i < 0 {
		return ""
	}
	sock = p.free[i]
	p.free = slices.Delete(p.free, i, i+1)
	return sock
}

func (p *pool) giveBack(sock string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, sock)
}
