// Package need has tests say what they need of the machine, and of who runs them.
// Whoever lacks that has them skipped. Continuous integration lacks nothing, so that a
// test which does not run there fails.
package need

import (
	"os"
	"testing"
)

// Root says what a test does that only root can. The test ends here for anybody else.
func Root(t testing.TB, to string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Unmet(t, "only root can ", to)
	}
}

// Unmet ends a test which does not find what it needs, and says why: it is skipped, and
// has failed where the variable CI is set.
func Unmet(t testing.TB, why ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}
