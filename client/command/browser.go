package command

import (
	"context"
	"os/exec"
)

// startBrowser runs the system's opener beside us, and reports whether there is one.
// The child is reaped; its output has no place between ours.
func startBrowser(ctx context.Context, program, page string) bool {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, page)
	if cmd.Start() != nil {
		return false
	}
	go cmd.Wait()
	return true
}
