package spawn

import "os"

// Spawner returns an exit status: macOS has no isolated install.
func Spawner() int {
	os.Stderr.WriteString(SpawnerName + ": there is no such thing on macOS\n")
	return 1
}
