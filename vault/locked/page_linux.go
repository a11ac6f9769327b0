package locked

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapPage maps whole pages of zeroed memory for n bytes.
func mapPage(n int) ([]byte, error) {
	size := roundUp(n, os.Getpagesize())
	page, secret := mapSecret(size)
	if secret == nil {
		// Such memory is always locked and never dumped. It is a shared
		// mapping, which cannot be wiped on fork, but need not be inherited.
		record(achieved{fork: unix.Madvise(page, unix.MADV_DONTFORK)})
		return page, nil
	}
	page, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	record(achieved{
		secret: secret,
		lock:   unix.Mlock(page),
		dump:   unix.Madvise(page, unix.MADV_DONTDUMP),
		fork:   unix.Madvise(page, unix.MADV_WIPEONFORK),
	})
	return page, nil
}

// mapSecret maps memory that the kernel takes out of its own page tables. It
// fails on kernels without memfd_secret or with it disabled, under a seccomp
// filter that does not know it, and when RLIMIT_MEMLOCK is spent.
func mapSecret(size int) ([]byte, error) {
	fd, err := unix.MemfdSecret(unix.O_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, err
	}
	return unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// unmapPage gives back what mapPage returned.
func unmapPage(page []byte) {
	if err := unix.Munmap(page); err != nil {
		panic("locked: unmapping: " + err.Error()) // unreachable
	}
}
