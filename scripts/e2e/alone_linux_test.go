package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// Who wants to be alone waits for whoever is, and is then.
func TestAlone(t *testing.T) {
	need.Root(t, "be somebody else as well")
	const name = "alone"
	lock, over := "/run/cortex-tests-"+name+".lock", filepath.Join(t.TempDir(), "over")
	other := exec.Command("flock", lock, "sh", "-c", `echo held; sleep 0.2; touch "$1"`, "sh", over)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if err := e2e.Alone(name); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(over); err != nil {
		t.Fatalf("it did not wait: %v", err)
	}
	if out, err := exec.Command("flock", "--shared", "--nonblock", lock, "true").CombinedOutput(); err == nil {
		t.Fatalf("it is not alone: %s", out)
	}
}
