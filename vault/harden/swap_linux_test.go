package harden

import (
	"maps"
	"slices"
	"testing"
)

const swapHeader = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

func TestSwap(t *testing.T) {
	// Every machine has these.
	common := map[string]string{"proc/meminfo": "MemTotal: 1 kB\n", "proc/self/cgroup": "0::/system.slice/cortex.service\n"}
	for name, test := range map[string]struct {
		files map[string]string
		want  Measure
	}{
		"kernel without swap": {nil, Measure{"swap", true, "none"}},
		"none":                {map[string]string{"proc/swaps": swapHeader}, Measure{"swap", true, "none"}},
		"partition": {map[string]string{
			"proc/swaps": swapHeader + "/dev/sda2 partition 1 0 -2\n",
			"dev/sda2":   "", "sys/block/sda/": "",
		}, Measure{"swap", false, "not known to be encrypted: /dev/sda2"}},
		"file": {map[string]string{
			"proc/swaps":        swapHeader + "/swap\\040file file 1 0 -2\n",
			"swap file":         "",
			"proc/self/cgroup/": "", // unreadable as a file
		}, Measure{"swap", false, "not known to be encrypted: /swap file"}},
		"dm-crypt": {map[string]string{
			"proc/swaps": swapHeader + "/dev/dm-0 partition 1 0 -2\n",
			"dev/dm-0":   "", "sys/block/dm-0/dm/uuid": "CRYPT-PLAIN-swap\n",
		}, Measure{"swap", true, "encrypted, or in memory"}},
		"by its mapper name": {map[string]string{
			"proc/swaps": swapHeader + "/dev/mapper/swap partition 1 0 -2\n",
			"dev/dm-0":   "", "dev/mapper/swap/": "../dm-0", "sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-x-y\n",
		}, Measure{"swap", true, "encrypted, or in memory"}},
		"volume on dm-crypt": {map[string]string{
			"proc/swaps": swapHeader + "/dev/dm-1 partition 1 0 -2\n",
			"dev/dm-1":   "", "sys/block/dm-1/dm/uuid": "LVM-x\n", "sys/block/dm-1/slaves/dm-0/": "",
			"sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-x-y\n",
		}, Measure{"swap", true, "encrypted, or in memory"}},
		"volume half on dm-crypt": {map[string]string{
			"proc/swaps": swapHeader + "/dev/dm-1 partition 1 0 -2\n",
			"dev/dm-1":   "", "sys/block/dm-1/dm/uuid": "LVM-x\n", "sys/block/dm-1/slaves/dm-0/": "", "sys/block/dm-1/slaves/sda3/": "",
			"sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-x-y\n",
		}, Measure{"swap", false, "not known to be encrypted: /dev/dm-1"}},
		"zram": {map[string]string{
			"proc/swaps": swapHeader + "/dev/zram0 partition 1 0 100\n",
			"dev/zram0":  "", "sys/block/zram0/backing_dev": "none\n",
		}, Measure{"swap", true, "encrypted, or in memory"}},
		"zram written back": {map[string]string{
			"proc/swaps": swapHeader + "/dev/zram0 partition 1 0 100\n",
			"dev/zram0":  "", "sys/block/zram0/backing_dev": "/dev/sda3\n",
		}, Measure{"swap", false, "not known to be encrypted: /dev/zram0"}},
		"one of two": {map[string]string{
			"proc/swaps": swapHeader + "/dev/dm-0 partition 1 0 -2\n/dev/sda2 partition 1 0 -3\n",
			"dev/dm-0":   "", "sys/block/dm-0/dm/uuid": "CRYPT-PLAIN-swap\n", "dev/sda2": "",
		}, Measure{"swap", false, "not known to be encrypted: /dev/sda2"}},
		"not for this unit": {map[string]string{
			"proc/swaps": swapHeader + "/dev/sda2 partition 1 0 -2\n",
			"dev/sda2":   "", "sys/fs/cgroup/system.slice/cortex.service/memory.swap.max": "0\n",
		}, Measure{"swap", true, "not for this control group"}},
		"not for the slice": {map[string]string{
			"proc/swaps": swapHeader + "/dev/sda2 partition 1 0 -2\n",
			"dev/sda2":   "", "sys/fs/cgroup/system.slice/memory.swap.max": "0\n",
			"sys/fs/cgroup/system.slice/cortex.service/memory.swap.max": "max\n",
		}, Measure{"swap", true, "not for this control group"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(common)
			maps.Copy(files, test.files)
			if _, ok := test.files["proc/self/cgroup/"]; ok {
				delete(files, "proc/self/cgroup")
			}
			if got := swap(tree(t, files)); got != test.want {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestSwapUnknown has nowhere to look: that is not good news.
func TestSwapUnknown(t *testing.T) {
	if m := swap(t.TempDir()); m.OK {
		t.Errorf("without /proc: %+v", m)
	}
	if m := swap(tree(t, map[string]string{"proc/meminfo": "", "proc/swaps/": ""})); m.OK {
		t.Errorf("unreadable /proc/swaps: %+v", m)
	}
}

// TestSwapLoop follows devices that stand on each other, which cannot be.
func TestSwapLoop(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/swaps": swapHeader + "/dev/dm-0 partition 1 0 -2\n", "dev/dm-0": "",
		"sys/block/dm-0/slaves/dm-1/": "", "sys/block/dm-1/slaves/dm-0/": "",
	})
	if m := swap(root); m.OK {
		t.Errorf("%+v", m)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`/plain`: "/plain", `/a\040b`: "/a b", `\134`: `\`, `a\`: `a\`, `a\04`: `a\04`, `\999x`: `\999x`, `\777`: `\777`, `\011\012`: "\t\n", ``: "",
	} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzSwapAreas(f *testing.F) {
	f.Add(swapHeader + "/dev/dm-0 partition 1 0 -2\n/swap\\040file file 1 0 -3\n")
	f.Add("\n\n\\")
	f.Fuzz(func(t *testing.T, text string) {
		if areas := swapAreas(text); slices.Contains(areas, "") {
			t.Errorf("%q: an empty area among %q", text, areas)
		}
	})
}
