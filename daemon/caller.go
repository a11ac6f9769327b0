package daemon

import (
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/peer"
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

// A fileID is a file's content for as long as nobody changes it.
type fileID struct {
	dev, ino uint64
	size     int64
	mtime    unix.Timespec
	ctime    unix.Timespec
}

// hashes remembers the hashes of programs. The zero value is empty.
type hashes struct {
	mu  sync.Mutex // guards all
	all map[fileID]string
}

// The limits of hashing: a larger program is not hashed, and more of them are
// not remembered.
const (
	maxHashed = 1 << 30
	maxHashes = 256
)

// of returns the SHA-256 of a plain file, "" if it cannot be had.
func (h *hashes) of(f *os.File) string {
	id, ok := identify(f)
	if !ok {
		return ""
	}
	h.mu.Lock()
	hash, known := h.all[id]
	h.mu.Unlock()
	if known {
		return hash
	}
	hash, err := hashOf(f)
	if err != nil {
		return ""
	}
	if again, _ := identify(f); again != id {
		return "" // it was changed meanwhile
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil || len(h.all) >= maxHashes {
		h.all = map[fileID]string{}
	}
	h.all[id] = hash
	return hash
}
