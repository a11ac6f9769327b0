package opaque_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPanic dies of secrets, with the fullest of tracebacks.
func TestPanic(t *testing.T) {
	t.Parallel()
	for name := range holders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), panicking+"="+name, "GOTRACEBACK=system", "GORACE=atexit_sleep_ms=0")
			out, err := cmd.CombinedOutput()
			if _, ok := errors.AsType[*exec.ExitError](err); !ok {
				t.Fatalf("child did not die: %v", err)
			}
			if !strings.Contains(string(out), "panic: ") || strings.Contains(string(out), "no such value") {
				t.Fatalf("child did not panic as it should: %s", out)
			}
			noLeak(t, "panic with "+name, string(out))
		})
	}
}
