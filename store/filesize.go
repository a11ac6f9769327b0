package store

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// outliveFileSizeLimit keeps a file size limit (ulimit -f) from ending the
// process with SIGXFSZ, so that it is met as EFBIG. Where there is no limit it
// does nothing. The signal is caught and not ignored: children would inherit
// that.
func outliveFileSizeLimit() (stop func()) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil || limit.Cur == unix.RLIM_INFINITY {
		return func() {}
	}
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, unix.SIGXFSZ)
	return func() { signal.Stop(ignored) }
}
