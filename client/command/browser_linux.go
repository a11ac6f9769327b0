package command

import (
	"context"
	"os"
)

// openBrowser opens a page where there is a display, and reports whether it tried.
// When that fails, the address stands on the terminal.
func openBrowser(ctx context.Context, page string) bool {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return false
	}
	return startBrowser(ctx, "xdg-open", page)
}
