package daemon

import "github.com/cortex-auth/cortex/daemon/ipc"

// canaryFiles are the files that a program with a canary gets.
func canaryFiles() []string { return []string{canaryKey + "=" + ipc.CanaryFileName} }
