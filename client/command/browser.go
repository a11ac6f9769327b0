package command

import (
	"context"
	"os/exec"
)

// startBrowser runs the system's opener beside us. The child is reaped; its
// output has no place between ours.
func startBrowser(ctx context.Context, program, page string) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, page)
	if cmd.Start() == nil {
		go cmd.Wait()
	}
}
