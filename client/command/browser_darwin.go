package command

import (
	"context"
	"os"
)

// openBrowser opens a page, unless this is a remote login, and does not mind
// when that fails: the address stands on the terminal.
func openBrowser(ctx context.Context, page string) {
	if os.Getenv("SSH_CONNECTION") != "" {
		return
	}
	startBrowser(ctx, "/usr/bin/open", page)
}
