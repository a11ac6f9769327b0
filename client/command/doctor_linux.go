package command

import (
	"os"
	"strings"
)

// host looks at what programs of one user may do to each other. In the isolated install
// each command is a user of its own, and nobody's to debug.
func (c *checkup) host(isolated bool) {
	if isolated {
		c.fine("ptrace", "each command is a user of its own: no program of another user can debug it")
		return
	}
	const fix = "sysctl -w kernel.yama.ptrace_scope=1, and the same in /etc/sysctl.d"
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	switch text := strings.TrimSpace(string(scope)); {
	case err != nil:
		c.warn("ptrace", "have root install the daemon with users of its own, which needs no Yama: cortex install daemon --isolated; or boot a kernel with CONFIG_SECURITY_YAMA", "programs of a user can debug each other, commands with secrets too: this kernel has no Yama")
	case text == "0":
		c.warn("ptrace", fix, "programs of a user can debug each other, commands with secrets too")
	default:
		c.fine("ptrace", "programs of a user cannot debug each other, but for those they start")
	}
}
