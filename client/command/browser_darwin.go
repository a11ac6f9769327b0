package command

import (
	"context"
	"os"
)

// openBrowser opens a page, unless this is a remote login, and reports whether it
// tried. When that fails, the address stands on the terminal.
func openBrowser(ctx context.Context, page string) bool {
	if os.Getenv("SSH_CONNECTION") != "" {
		return false
	}
	return startBrowser(ctx, "/usr/bin/open", page)
}
