package harden

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// system is the root of the file system, which tests replace.
const system = "/"

// swap looks for swap space that keeps pages in clear after the process ends.
// Keys are locked in memory; secret values on their way through are not.
func swap(root string) Measure {
	const name = "swap"
	text, err := os.ReadFile(filepath.Join(root, "proc/swaps"))
	if errors.Is(err, fs.ErrNotExist) && mounted(root) {
		return Measure{Name: name, OK: true, Detail: "none"}
	}
	if err != nil {
		return took(name, "", err)
	}
	var exposed []string
	areas := swapAreas(string(text))
	for _, area := range areas {
		if !protected(root, area) {
			exposed = append(exposed, area)
		}
	}
	switch {
	case len(areas) == 0:
		return Measure{Name: name, OK: true, Detail: "none"}
	case len(exposed) == 0:
		return Measure{Name: name, OK: true, Detail: "encrypted, or in memory"}
	case swapless(root):
		return Measure{Name: name, OK: true, Detail: "not for this control group"}
	}
	return Measure{Name: name, Detail: "not known to be encrypted: " + strings.Join(exposed, ", ")}
}

// mounted reports whether there is a /proc to look into; a kernel built without
// swap has one that lacks the file.
func mounted(root string) bool {
	_, err := os.Stat(filepath.Join(root, "proc/meminfo"))
	return err == nil
}

// swapAreas returns the first column of /proc/swaps: paths of devices and
// files, in which the kernel writes white space and backslashes in octal.
func swapAreas(text string) []string {
	_, rows, _ := strings.Cut(text, "\n")
	var areas []string
	for row := range strings.Lines(rows) {
		if f := strings.Fields(row); len(f) > 0 {
			areas = append(areas, unescape(f[0]))
		}
	}
	return areas
}

// unescape replaces \ooo by the byte it stands for.
func unescape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if s[0] == '\\' && len(s) >= 4 {
			if c, err := strconv.ParseUint(s[1:4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				s = s[4:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// protected reports whether a swap area is an encrypted or compressed-memory
// device. Of a file nothing is known.
func protected(root, area string) bool {
	dev, err := filepath.EvalSymlinks(filepath.Join(root, area))
	if err != nil {
		return false
	}
	name := filepath.Base(dev)
	if strings.HasPrefix(name, "zram") {
		// Without a backing device zram never leaves memory.
		backing, err := os.ReadFile(filepath.Join(root, "sys/block", name, "backing_dev"))
		return err != nil || strings.TrimSpace(string(backing)) == "none"
	}
	return encrypted(filepath.Join(root, "sys/block"), name, 8)
}

// encrypted reports whether a block device is dm-crypt or stands on nothing
// but such devices, at most depth layers below, as a logical volume may.
func encrypted(block, name string, depth int) bool {
	if uuid, err := os.ReadFile(filepath.Join(block, name, "dm/uuid")); err == nil && strings.HasPrefix(string(uuid), "CRYPT-") {
		return true
	}
	below, err := os.ReadDir(filepath.Join(block, name, "slaves"))
	if err != nil || len(below) == 0 || depth == 0 {
		return false
	}
	for _, d := range below {
		if !encrypted(block, d.Name(), depth-1) {
			return false
		}
	}
	return true
}

// swapless reports whether the process's control group, or one above it, may
// not swap, as MemorySwapMax=0 in a unit file has it.
func swapless(root string) bool {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for group = filepath.Clean("/" + group); ok && group != "/"; group = filepath.Dir(group) {
			limit, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", group, "memory.swap.max"))
			if err == nil && strings.TrimSpace(string(limit)) == "0" {
				return true
			}
		}
	}
	return false
}
