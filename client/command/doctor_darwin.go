package command

// host has nothing to look at: macOS asks before a program debugs another.
func (c *checkup) host(bool) {}
