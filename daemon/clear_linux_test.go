package daemon

import (
	"os/user"
	"strconv"
	"strings"
	"testing"
)

// Nobody is told to remove a directory that is not one user's alone.
func TestClearHint(t *testing.T) {
	for _, row := range []struct {
		name string
		want bool
	}{{"root", false}, {"daemon", false}, {"nobody", false}, {"games", true}} {
		u, err := user.Lookup(row.name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			t.Fatal(err)
		}
		if hint := clearHint(uid); strings.Contains(hint, "rm -rf "+u.HomeDir+";") != row.want || !strings.Contains(hint, "journalctl") {
			t.Errorf("%s: %s", row.name, hint)
		}
	}
	if hint := clearHint(1 << 30); strings.Contains(hint, "rm") {
		t.Error(hint)
	}
}
