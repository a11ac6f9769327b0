package install

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/vault/owned"
)

// Program returns the path of this program, for a service to start. Owners are the
// users who may be able to change it, besides root: whoever can change it gets the
// agent's key. It refuses one that is not going to stay, or that others can change.
func Program(owners ...int) (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	return path, elsewhere(usable(path, owners))
}

// usable refuses a program that is not going to stay, or that others can change.
func usable(path string, owners []int) error {
	if err := lasting(path, os.TempDir()); err != nil {
		return err
	}
	return owned.Check(path, owners...)
}

func elsewhere(err error) error {
	if err == nil {
		return nil
	}
	return client.WithHint(fmt.Errorf("a service cannot start this program: %w", err), "sudo install cortex /usr/local/bin/ and call that one")
}

// lasting refuses what is made to be deleted, such as what "go run" builds.
func lasting(path, temporary string) error {
	under := func(dir string) bool { return strings.HasPrefix(path, filepath.Clean(dir)+"/") }
	if slices.ContainsFunc([]string{temporary, "/tmp", "/var/tmp", "/dev/shm", "/run"}, under) || strings.Contains(path, "/go-build") {
		return fmt.Errorf("%s is in a temporary place", path)
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return errors.New("its path holds control characters")
	}
	return nil
}
