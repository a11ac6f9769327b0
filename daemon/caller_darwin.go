package daemon

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/peer"
)

// describe adds the parent of the client's process. Programs and arguments of
// others are not told without cgo.
func (d *Daemon) describe(cc *client.CallerContext, p *peer.Peer) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", p.PID)
	if err != nil || p.Check() != nil {
		return
	}
	cc.PID = int(info.Eproc.Ppid)
}

// pathOf returns where an open directory is.
func pathOf(dir *os.File) string { return "" }
