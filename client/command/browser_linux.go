package command

import (
	"context"
	"os"
)

// openBrowser opens a page where there is a display, and does not mind when
// that fails: the address stands on the terminal.
func openBrowser(ctx context.Context, page string) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return
	}
	startBrowser(ctx, "xdg-open", page)
}
