package keyring

import (
	"bufio"
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// available returns the memory in bytes that this process can still take: what
// the machine has available, or what its control groups leave if that is less.
func available() (n uint64, ok bool) {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	n, ok = memAvailable(meminfo)
	if group, found := controlGroup(); found {
		if left, limited := headroom("/sys/fs/cgroup", group); limited && (!ok || left < n) {
			return left, true
		}
	}
	return n, ok
}

// memAvailable finds the line "MemAvailable:  123 kB".
func memAvailable(meminfo []byte) (n uint64, ok bool) {
	lines := bufio.NewScanner(bytes.NewReader(meminfo))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 3 && f[0] == "MemAvailable:" && f[2] == "kB" {
			kib, err := strconv.ParseUint(f[1], 10, 50)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// controlGroup returns the path of the process's cgroup, version 2 only.
func controlGroup() (group string, ok bool) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		if group, ok = strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path.Clean("/" + group), true
		}
	}
	return "", false
}

// headroom returns the least that group and the groups above it leave.
func headroom(root, group string) (n uint64, limited bool) {
	for {
		dir := path.Join(root, group)
		limit, err1 := number(path.Join(dir, "memory.max"))
		used, err2 := number(path.Join(dir, "memory.current"))
		if err1 == nil && err2 == nil {
			if left := limit - min(limit, used); !limited || left < n {
				n, limited = left, true
			}
		}
		if group == "/" {
			return n, limited
		}
		group = path.Dir(group)
	}
}

// number reads a file that holds a decimal number. "max" is an error, which
// is as good as no limit.
func number(name string) (uint64, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}
