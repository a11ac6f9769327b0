package daemon

// canaryFiles are none: macOS has no files that are in memory only.
func canaryFiles() []string { return nil }
