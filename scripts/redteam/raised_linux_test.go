package redteam

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What is tried with a program whose file somebody gave privileges.
var raisedMoves = map[string]hostMove{"raised-file": raisedFile}

// The program with root's rights, or its group's, or a capability, as alice calls it.
func raisedFile(t *testing.T, h *host) outcome {
	path := filepath.Join(h.dir, named("cortex"))
	if err := os.WriteFile(path, read(t, filepath.Join(bin, "cortex")), 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	// CAP_DAC_READ_SEARCH, permitted and effective, in the form of version 2.
	capability := []byte{1, 0, 0, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	runs := func(name string) bool {
		cmd := h.as(t.Context(), h.alice, path, "--version")
		cmd.Args[0] = name
		r := finish(t, cmd)
		t.Logf("%s: %d %s", name, r.status, r.stderr)
		return r.status == 0
	}
	names := []string{"cortex", "cortex-daemon", "cortex-server"}
	for _, name := range names {
		if !runs(name) {
			t.Fatalf("%s does not run without privileges either", name)
		}
	}
	for _, give := range []func() error{
		func() error { return os.Chmod(path, 0o755|os.ModeSetuid) },
		func() error { return os.Chmod(path, 0o755|os.ModeSetgid) },
		func() error {
			return errors.Join(os.Chmod(path, 0o755), unix.Setxattr(path, "security.capability", capability, 0))
		},
	} {
		if err := give(); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if runs(name) {
				return open
			}
		}
	}
	return stopped
}
