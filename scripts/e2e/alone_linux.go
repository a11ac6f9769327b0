package e2e

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Alone has no other tests on this machine act as the users that a name stands for,
// before this process ends, and waits for those that do: whoever starts programs as
// other users kills what else runs as them. It needs root, as being others does.
func Alone(name string) error {
	path := "/run/cortex-tests-" + name + ".lock" // where nobody else can put a file
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	for err == nil {
		if err = unix.Flock(fd, unix.LOCK_EX); err == nil {
			return nil
		}
		if errors.Is(err, unix.EINTR) {
			err = nil
		}
	}
	return fmt.Errorf("waiting to be alone: %s: %w", path, err)
}
