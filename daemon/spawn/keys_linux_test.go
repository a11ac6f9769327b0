package spawn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// keysEnv makes this program one that only handles a key, see [TestClearKeys].
const keysEnv = "CORTEX_TEST_KEYS"

// A run finds no keys of another one's.
func TestClearKeys(t *testing.T) {
	ring := unix.KEY_SPEC_USER_KEYRING
	switch os.Getenv(keysEnv) {
	case "add":
		_, err := unix.AddKey("user", "cortex-test", []byte("left"), ring)
		fmt.Println("there:", err == nil)
		return
	case "find":
		_, err := unix.KeyctlSearch(ring, "user", "cortex-test", 0)
		fmt.Println("there:", !errors.Is(err, unix.ENOKEY))
		return
	}
	home, exe := ownHome(t), executableCopy(t)
	found := func(what string) bool {
		cmd := exec.Command(exe, "-test.run=^TestClearKeys$")
		cmd.Env, cmd.Dir = []string{keysEnv + "=" + what}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(others[0]), Gid: uint32(others[0])}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.Contains(string(out), "there: true")
	}
	if !found("add") {
		need.Unmet(t, "no keys here")
	}
	if !found("find") {
		t.Fatal("the key was not there")
	}
	cleared(t, home)
	if found("find") {
		t.Error("a key of another run is there")
	}
}
