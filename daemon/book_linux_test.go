package daemon

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/vault/journal"
)

// A line that has no room on the disk leaves none, and no piece of one.
func TestBookOnAFullDisk(t *testing.T) {
	dir := need.SmallDisk(t, "4k")
	b := newBook(t, dir)
	written := 0
	var err error
	for err == nil && written < 100 {
		if err = b.add(someReceipt, []string{"KEY"}); err == nil {
			written++
		}
	}
	if !errors.Is(err, errBook) || !errors.Is(err, unix.ENOSPC) || written == 0 {
		t.Fatalf("after %d lines: %v", written, err)
	}
	text, err := readBook(b.path)
	if err != nil || len(text) == 0 || text[len(text)-1] != '\n' {
		t.Errorf("a piece of a line is left: %v", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=64k"); err != nil {
		t.Fatal(err)
	}
	write(t, b, "KEY")
	got := entries(t, b)
	if len(got) != written+1 || !journal.After(got[written-1]).Follows(got[written]) {
		t.Errorf("%d lines, want %d", len(got), written+1)
	}
}
