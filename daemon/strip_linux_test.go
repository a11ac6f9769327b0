package daemon

import (
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/daemon/spawn"
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
	kept, gone, dirs := r.strip(env, []string{"A", "LC_*", "PATH", "EMPTY"})
	if want := []string{"A=1", "LC_ALL=C", "A=2", "EMPTY=", "PATH=" + b.at("closed") + ":" + b.at("none") + ":/usr/bin"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, not %q", kept, want)
	}
	if want := []string{"LD_PRELOAD", "NODE_OPTIONS", "MY_A", "odd", ""}; !slices.Equal(gone, want) {
		t.Errorf("gone are %q, not %q", gone, want)
	}
	if want := []string{"", "bin", b.at("open"), b.at("open/sub"), b.at("link"), b.at("open/none"), "."}; !slices.Equal(dirs, want) {
		t.Errorf("taken out are %q, not %q", dirs, want)
	}
	// For root nothing is closed.
	kept, gone, dirs = (rights{uids: []int{0}}).strip([]string{"PATH=/usr/bin:bin"}, []string{"PATH"})
	if !slices.Equal(kept, []string{"PATH=" + spawn.DefaultPath}) || len(gone) > 0 || !slices.Equal(dirs, []string{"bin"}) {
		t.Errorf("%q, without %q and %q", kept, gone, dirs)
	}
	if kept, gone, _ := r.strip(env, nil); len(kept) > 0 || len(gone) != 9 {
		t.Errorf("kept %q without %q", kept, gone)
	}
}
