package daemon

import (
	"slices"
	"strings"
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

// A value that is more than a name, a number or a path does not reach a program: it finds
// a file by it, or calculates with it, or has it in a line that a shell reads.
func TestStripHarmless(t *testing.T) {
	for name, row := range map[string]struct{ good, evil string }{
		"LANG":        {"de_DE.UTF-8 sr_RS@latin C POSIX en_GB.ISO8859-15", "../x ../../tmp/x/evil /tmp/evil de/../x .. C;x"},
		"LANGUAGE":    {"de:en_GB:sr@latin C.UTF-8", "../../../../tmp/x/evil de:../x de:.. /tmp de/x"},
		"LC_ALL":      {"C.UTF-8 de_DE", "../x /tmp/evil $(evil) a[$(evil)]"},
		"LC_MESSAGES": {"C", "../x"},
		"LC_$(x)":     {"", "C"},
		"LC_ODD":      {"1", "$(evil) a/b ä"},
		"TZ":          {"UTC Europe/Berlin America/Port-au-Prince CET-1CEST,M3.5.0/2,M10.5.0/3 <+0330>-3:30 Etc/GMT+2 posix/UTC", ":/tmp/x :UTC /tmp/x ../x Europe/../../x ./x .x UTC;x $(evil)"},
		"TERM":        {"xterm-256color screen.xterm-256color xterm+256color dumb", "../x /tmp/x a/b .. $(evil)"},
		"COLORTERM":   {"truecolor", "a[$(evil)]"},
		"CI":          {"true 1", "a[$(evil)] ;x"},
		"FORCE_COLOR": {"3", "a[$(evil)]"},
		"NO_COLOR":    {"1", "a[$(evil)]"},
		"USER":        {"alice alice@example.com a.b", "../x a/b $(evil) *"},
		"LOGNAME":     {"alice", "../x"},
		"TMPDIR":      {"/tmp /var/folders/ab/c_d-1/T/", "tmp /tmp/x;evil /tmp/$(evil) ../x -x"},
		"COLUMNS":     {"80", "8x -1"},
	} {
		for _, value := range strings.Fields(row.good) {
			if kept, gone, _ := (rights{}).strip([]string{name + "=" + value}, pinned.DefaultEnv, "/"); len(gone) > 0 || !slices.Equal(kept, []string{name + "=" + value}) {
				t.Errorf("%s=%s is gone: %q", name, value, kept)
			}
		}
		for _, value := range append(strings.Fields(row.evil), "a b", "a\nb") {
			// Nor where a pin names the variable.
			for _, allowed := range [][]string{pinned.DefaultEnv, {name}, {"*"}} {
				if kept, gone, _ := (rights{}).strip([]string{name + "=" + value}, allowed, "/"); len(kept) > 0 || !slices.Equal(gone, []string{name}) {
					t.Errorf("%s=%s is kept: %q", name, value, gone)
				}
			}
		}
	}
	for _, name := range pinned.DefaultEnv {
		if v := []string{name + "="}; name != "PATH" && name != "PWD" && name != "LC_*" {
			if kept, gone, _ := (rights{}).strip(v, pinned.DefaultEnv, "/"); !slices.Equal(kept, v) {
				t.Errorf("without a value %q is gone", gone)
			}
		}
	}
	odd := []string{"/opt/a b", "/opt/x;evil", "/opt/$(evil)", "/opt/ä", "/opt/a\nb"}
	kept, _, dirs := (rights{uids: []int{nobody}}).strip([]string{"PATH=" + strings.Join(odd, ":") + ":/usr/lib/g++@1"}, []string{"PATH"}, "/")
	if !slices.Equal(kept, []string{"PATH=/usr/lib/g++@1"}) || !slices.Equal(dirs, odd) {
		t.Errorf("kept %q, without %q", kept, dirs)
	}
	// What a pin names besides may be anything.
	if kept, gone, _ := (rights{}).strip([]string{"OTHER=$(x) ../y"}, []string{"*"}, "/"); len(kept) != 1 || len(gone) > 0 {
		t.Errorf("kept %q without %q", kept, gone)
	}
}
