package e2e

import (
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// KeepInherited keeps to this process what it has inherited beyond the standard streams,
// such as what an editor has left open in the terminals that it starts: commands under test
// would get that as well, and say so.
var KeepInherited = sync.OnceFunc(func() {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return // and tests that mind will say so
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
})
