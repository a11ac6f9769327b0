package spawn

import (
	"errors"
	"log/slog"

	"golang.org/x/sys/unix"
)

// getPersistent is KEYCTL_GET_PERSISTENT of keyctl(2).
const getPersistent = 22

// clearKeys clears the keyrings of this user, which outlive its processes. A run
// can take from its user the right to do so; that is told, and prevents nothing.
func clearKeys() {
	rings := []int{unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING}
	if id, err := unix.KeyctlInt(getPersistent, -1, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0); err == nil {
		rings = append(rings, id)
	}
	for _, ring := range rings {
		_, err := unix.KeyctlInt(unix.KEYCTL_CLEAR, ring, 0, 0, 0)
		// In containers that know no keys EPERM is the answer to everybody.
		if err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM) {
			slog.Warn("keys of another run may be left", "keyring", ring, "err", err)
		}
	}
}
