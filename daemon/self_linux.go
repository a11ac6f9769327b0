package daemon

import (
	"os"
	"strings"
)

// openSelf opens this program, also after its file was replaced.
func openSelf() (*os.File, error) { return os.Open("/proc/self/exe") }

// bootID names this run of the system, "" if nobody can tell.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
