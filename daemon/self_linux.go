package daemon

import "os"

// openSelf opens this program, also after its file was replaced.
func openSelf() (*os.File, error) { return os.Open("/proc/self/exe") }
