package daemon

import (
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/pinned"
)

func TestStrip(t *testing.T) {
	b := newBench(t)
	b.write("closed/x", "", 0o644)
	b.write("open/x", "", 0o644)
	b.write("open/sub/x", "", 0o644)
	b.mode("open", 0o777)
	b.link("open", "link")
	r := rights{uids: []int{nobody}}
	env := []string{
		"A=1", "LD_PRELOAD=x", "NODE_OPTIONS=--require x", "LC_ALL=C", "A=2", "MY_A=3", "LD_PRELOAD=y", "EMPTY=", "odd", "=x",
		"PATH=" + b.at("closed") + "::bin:" + b.at("open") + ":" + b.at("open/sub") + ":" + b.at("link") + ":" + b.at("open/none") + ":" + b.at("none") + ":/usr/bin:.:bin",
	}
	kept, gone, dirs := r.strip(env, []string{"A", "LC_*", "PATH", "EMPTY"}, "/work")
	if want := []string{"LC_ALL=C", "A=2", "EMPTY=", "PATH=" + b.at("closed") + ":" + b.at("none") + ":/usr/bin"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, not %q", kept, want)
	}
	if want := []string{"LD_PRELOAD", "NODE_OPTIONS", "MY_A", "odd", ""}; !slices.Equal(gone, want) {
		t.Errorf("gone are %q, not %q", gone, want)
	}
	if want := []string{"", "bin", b.at("open"), b.at("open/sub"), b.at("link"), b.at("open/none"), "."}; !slices.Equal(dirs, want) {
		t.Errorf("taken out are %q, not %q", dirs, want)
	}
	// For root nothing is closed.
	kept, gone, dirs = (rights{uids: []int{0}}).strip([]string{"PATH=/usr/bin:bin"}, []string{"PATH"}, "/work")
	if !slices.Equal(kept, []string{"PATH=" + spawn.DefaultPath}) || len(gone) > 0 || !slices.Equal(dirs, []string{"bin"}) {
		t.Errorf("%q, without %q and %q", kept, gone, dirs)
	}
	if kept, gone, _ := r.strip(env, nil, "/work"); len(kept) > 0 || len(gone) != 9 {
		t.Errorf("kept %q without %q", kept, gone)
	}
}

// What a program sees of a variable is what was looked at.
func TestStripValues(t *testing.T) {
	env := []string{"HOME=/tmp/evil", "PATH=/tmp/evil", "COLUMNS=a[$(evil)]", "LINES=40", "PWD=/tmp/evil", "HOME=/opt", "PWD=/", "PATH=/usr/bin", "COLUMNS=", "LINES=4 0"}
	kept, gone, dirs := (rights{uids: []int{nobody}}).strip(env, pinned.DefaultEnv, "/work")
	if want := []string{"HOME=/opt", "PWD=/work", "PATH=/usr/bin", "COLUMNS="}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, not %q", kept, want)
	}
	if !slices.Equal(gone, []string{"LINES"}) || len(dirs) > 0 {
		t.Errorf("gone are %q, and %q", gone, dirs)
	}
	if kept, gone, _ := (rights{}).strip([]string{"COLUMNS=80", "LINES=a", "LINES=24"}, pinned.DefaultEnv, "/"); !slices.Equal(kept, []string{"COLUMNS=80", "LINES=24"}) || len(gone) > 0 {
		t.Errorf("kept %q without %q", kept, gone)
	}
}
