package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/peer"
)

// describe adds the parent of the client's process.
func (d *Daemon) describe(cc *client.CallerContext, p *peer.Peer) {
	proc, err := p.Dir()
	if err != nil {
		return
	}
	defer proc.Close()
	pid := parentOf(proc)
	parent, err := os.OpenFile("/proc/"+strconv.Itoa(pid), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return
	}
	defer parent.Close()
	// While it is the parent, its id is not another's.
	if pid == 0 || parentOf(proc) != pid {
		return
	}
	cc.PID = pid
	if exe, err := openAt(parent, "exe", unix.O_RDONLY); err == nil {
		cc.BinarySHA256 = d.hashes.of(exe)
		exe.Close()
	}
	if argv, err := readAt(parent, "cmdline", ipc.MaxLine); err == nil && len(argv) > 0 {
		sum := sha256.Sum256(bytes.TrimSuffix(argv, []byte{0}))
		cc.ArgvHash = hex.EncodeToString(sum[:])
	}
}

// parentOf returns a process's parent, 0 without: field 4 of
// proc_pid_stat(5). The second field may hold blanks and parentheses.
func parentOf(proc *os.File) int {
	stat, err := readAt(proc, "stat", 4096)
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	pid, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return pid
}

// pathOf returns where an open directory is, "" for one that was removed.
func pathOf(dir *os.File) string {
	link := "/proc/self/fd/" + strconv.Itoa(int(dir.Fd()))
	path, err := os.Readlink(link)
	if err != nil {
		return ""
	}
	var at, open unix.Stat_t
	if unix.Stat(path, &at) != nil || unix.Fstat(int(dir.Fd()), &open) != nil || at.Ino != open.Ino || at.Dev != open.Dev {
		return ""
	}
	return path
}
