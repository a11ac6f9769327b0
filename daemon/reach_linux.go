package daemon

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/peer"
)

// pretended reports whether what is at a path is what some process says it is: owners
// and modes, too.
func pretended(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) != nil || st.Type == unix.FUSE_SUPER_MAGIC
}

// listed reports whether a file has a list of users who may access it. Its mode says no
// more then than what the most of them may.
func listed(path string) bool {
	n, err := unix.Lgetxattr(path, "system.posix_acl_access", nil)
	return err == nil && n > 0
}

// groupsOf returns the groups of a process, and whether they are all.
func groupsOf(p *peer.Peer) (gids []int, all bool) {
	proc, err := p.Dir()
	if err != nil {
		return nil, false
	}
	defer proc.Close()
	status, err := readAt(proc, "status", 64<<10)
	if err != nil {
		return nil, false
	}
	found := 0
	for line := range bytes.Lines(status) {
		name, value, _ := strings.Cut(string(line), ":")
		if name != "Gid" && name != "Groups" {
			continue
		}
		found++
		for field := range strings.FieldsSeq(value) {
			gid, err := strconv.Atoi(field)
			if err != nil {
				return nil, false
			}
			gids = append(gids, gid)
		}
	}
	return gids, found == 2
}
