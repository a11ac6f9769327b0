package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

// dev measures how long a person waits for cortex dev: from the call until a
// command has run with a value and everything is gone again.
func (b *bench) dev() error {
	var took figures
	for range b.pairs {
		cmd := exec.Command(b.cortex, "dev", "--set", "A=b", "--", "true")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + b.dir}
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	b.table.row("cortex dev -- true, ms", took.text("%.0f"), "", "", "2 s", "")
	return nil
}
