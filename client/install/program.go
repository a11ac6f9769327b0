package install

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
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
	if err := lasting(path, os.TempDir()); err != nil {
		return "", elsewhere(err)
	}
	return path, elsewhere(unchangeable(path, owners))
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

// unchangeable refuses a file that others than root and owners can write to, or
// replace.
func unchangeable(path string, owners []int) error {
	for at := path; ; at = filepath.Dir(at) {
		var st unix.Stat_t
		if err := unix.Stat(at, &st); err != nil {
			return fmt.Errorf("looking at %s: %w", at, err)
		}
		if st.Uid != 0 && !slices.Contains(owners, int(st.Uid)) {
			return fmt.Errorf("%s belongs to uid %d, who could replace it", at, st.Uid)
		}
		if st.Mode&0o002 != 0 {
			return fmt.Errorf("everybody can write to %s", at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}
