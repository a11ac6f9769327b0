package daemon

import (
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// caller describes on whose behalf a client asks: the process that started it,
// and the directory of the run. It is for the server's audit log. What cannot
// be seen is left out; nothing of it opens anything.
func (d *Daemon) caller(p *peer.Peer, dir *os.File) client.CallerContext {
	cc := client.CallerContext{Hostname: d.hostname, OS: runtime.GOOS + "/" + runtime.GOARCH}
	if dir != nil {
		cc.CWD = pathOf(dir)
	}
	if cc.CWD != "" {
		cc.GitCommit = gitCommit(cc.CWD)
	}
	d.describe(&cc, p)
	return cc
}

// hashes remembers the hashes of files. The zero value is empty.
type hashes struct {
	mu  sync.Mutex // guards all
	all map[spawn.Identity]string
}

// The limits of hashing: a larger file is not hashed, and more of them are not
// remembered, nor is one that was changed just now: within a tick of the kernel's clock
// it could be changed again and look the same. No file is read within one of its last
// change.
const (
	maxHashed = 1 << 30
	maxHashes = 256
	settled   = 2 * time.Second
	tick      = 20 * time.Millisecond // twice the longest there is
)

// of returns the SHA-256 of a plain file, "" if it cannot be had.
func (h *hashes) of(f *os.File) string {
	left := int64(maxHashed)
	sum, _, err := h.sum(f, &left, false)
	if err != nil {
		return ""
	}
	return sum
}

// sum returns the SHA-256 of a plain file, and of what file that is, and takes what is
// read for it from what is left to be read. Nothing is remembered of a file that is
// open to be changed: one that is mapped into memory changes and looks the same.
func (h *hashes) sum(f *os.File, left *int64, open bool) (string, spawn.Identity, error) {
	id, ok := spawn.Identify(f)
	if !ok {
		return "", id, errors.New("is no plain file")
	}
	h.mu.Lock()
	sum, known := h.all[id]
	h.mu.Unlock()
	if known && !open {
		return sum, id, nil
	}
	if *left -= id.Size; *left < 0 {
		return "", id, errors.New("is too large to be hashed")
	}
	began := time.Now()
	if wait := tick - began.Sub(time.Unix(0, id.CTime)); wait > 0 {
		time.Sleep(min(wait, tick)) // also where the clock was set back
	}
	sum, err := hashOf(io.NewSectionReader(f, 0, id.Size))
	if err != nil {
		return "", id, err
	}
	if again, _ := spawn.Identify(f); again != id {
		return "", id, errors.New("was changed while it was looked at")
	}
	if !open && began.Sub(time.Unix(0, id.CTime)) >= settled {
		h.keep(id, sum)
	}
	return sum, id, nil
}

func (h *hashes) keep(id spawn.Identity, sum string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil || len(h.all) >= maxHashes {
		h.all = map[spawn.Identity]string{}
	}
	h.all[id] = sum
}
