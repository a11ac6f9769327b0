package spawn

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// clearUp is the argument of a [Spawner] that only clears up.
const clearUp = "--clear"

// clearHome ends every other process of this user, clears its keyrings, and empties its home directory,
// which is closed to others again, and in which there is then a directory for temporary files.
func clearHome(home string) error {
	if err := ours(home); err != nil {
		return fmt.Errorf("%s: %w", home, err)
	}
	// At once, so that nothing that is about to fork is overlooked.
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("ending what else runs as uid %d: %w", os.Getuid(), err)
	}
	clearKeys()
	if err := closeToOthers(home); err != nil {
		return fmt.Errorf("closing %s to others: %w", home, err)
	}
	if err := empty(home); err != nil {
		return fmt.Errorf("emptying %s: %w", home, err)
	}
	return os.Mkdir(filepath.Join(home, homeTemp), 0o700)
}

// closeToOthers takes back what a run has let others do with a directory.
func closeToOthers(dir string) error {
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	for _, list := range []string{"system.posix_acl_access", "system.posix_acl_default"} {
		err := unix.Lremovexattr(dir, list)
		if err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EOPNOTSUPP) {
			return err
		}
	}
	return nil
}

// errNotOurs is the error about a directory that is somebody else's, or none.
var errNotOurs = errors.New("it is no directory of this user's")

func ours(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() {
		return errNotOurs
	}
	return nil
}
