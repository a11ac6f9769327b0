package harden

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// noCore forbids core dumps. The limit is 1 and not 0: the kernel ignores a
// limit of 0 when core_pattern names a program to pipe into, and takes exactly
// 1 as the wish that nothing be dumped there either. To a file, 1 byte is less
// than the smallest core. Hard and soft, so that no child can raise it again.
func noCore() Measure {
	err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1})
	if errors.Is(err, unix.EPERM) {
		return coreAlreadyZero(system, err)
	}
	return took(coreDumps, "none, to files or programs", err)
}

// coreDumps is the name of that measure.
const coreDumps = "core dumps"

// coreAlreadyZero judges a process whose hard limit was 0 before, as a unit
// file with LimitCORE=0 has it: without privileges it cannot be raised to 1.
// That is as good as long as the kernel writes cores to files.
func coreAlreadyZero(root string, err error) Measure {
	pattern, readErr := os.ReadFile(filepath.Join(root, "proc/sys/kernel/core_pattern"))
	if readErr != nil {
		return took(coreDumps, "", err)
	}
	if len(pattern) > 0 && (pattern[0] == '|' || pattern[0] == '@') {
		return Measure{Name: coreDumps, Detail: "the limit is 0 and cannot be made 1, and core_pattern names a program, which is fed all the same: set LimitCORE=1"}
	}
	return took(coreDumps, "none, to files", nil)
}
