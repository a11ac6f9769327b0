package e2e_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// Each script runs in a Debian that was booted for it.
func TestInstall(t *testing.T) {
	need.Root(t, "boot a system")
	e2e.Look(t, "../..")
	scripts, err := filepath.Glob("nspawn/*.sh")
	if err != nil || len(scripts) < 2 {
		t.Fatal(scripts, err)
	}
	for _, script := range scripts {
		if script == "nspawn/vault.sh" { // a part of the others
			continue
		}
		t.Run(filepath.Base(script), func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), "../nspawn", script, filepath.Join(bin, "cortex"), "nspawn/vault.sh").CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
