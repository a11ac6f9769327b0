package spawn

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// keysEnv makes this program one that only handles a key, see [TestClearKeys].
const keysEnv = "CORTEX_TEST_KEYS"

// A run finds no keys of another one's.
func TestClearKeys(t *testing.T) {
	ring := unix.KEY_SPEC_USER_KEYRING
	switch os.Getenv(keysEnv) {
	case "add":
		if _, err := unix.AddKey("user", "cortex-test", []byte("left"), ring); err != nil {
			t.Skip("no keys here:", err)
		}
		return
	case "find":
		if _, err := unix.KeyctlSearch(ring, "user", "cortex-test", 0); errors.Is(err, unix.ENOKEY) {
			t.Skip("no key")
		}
		return
	}
	home, exe := ownHome(t), executableCopy(t)
	found := func(what string) bool {
		cmd := exec.Command(exe, "-test.run=^TestClearKeys$", "-test.v")
		cmd.Env, cmd.Dir = []string{keysEnv + "=" + what}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(others[0]), Gid: uint32(others[0])}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return !strings.Contains(string(out), "--- SKIP")
	}
	if !found("add") {
		t.Skip("no keys here")
	}
	if !found("find") {
		t.Fatal("the key was not there")
	}
	cleared(t, home)
	if found("find") {
		t.Error("a key of another run is there")
	}
}
