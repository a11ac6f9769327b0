package store

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// guard calls fn, which has the engine read the mapped file. The engine takes the
// file at its word: a page that cannot be read (the disk fails there, the file
// was cut short) is a memory fault, and one that makes no sense is a panic of one
// kind or another. Either would end the process; here it is ErrDamaged. Panics of
// what fn calls in turn go their way.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if !engines(r) {
			panic(r)
		}
		err = fmt.Errorf("%w: the engine: %v", ErrDamaged, r)
	}()
	return fn()
}

const (
	enginePackage = "go.etcd.io/bbolt"
	modulePath    = "github.com/cortex-auth/cortex/"
	ownPackage    = modulePath + "store."
)

// engines reports whether the panic under way began in the engine, or in this
// package over what the engine gave it: whether one of them comes first on the
// stack, with nothing of the program's own above. It is called while the panic is
// recovered, when what it began in is still there.
func engines(r any) bool {
	if text, ok := r.(string); ok && strings.HasPrefix(text, "store: ") {
		return false // what this package says of its callers' bugs
	}
	// An address that is not about nil can only have come from the file: Go code
	// makes up none.
	if f, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	}); ok && f.Addr() >= 1<<16 {
		return true
	}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	panicking := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case !panicking || strings.HasPrefix(f.Function, "runtime."):
		case strings.HasPrefix(f.Function, enginePackage):
			return true
		case strings.HasPrefix(f.Function, ownPackage):
			return !strings.HasSuffix(f.File, "_test.go")
		case strings.HasPrefix(f.Function, modulePath) || !more:
			return false
		}
		if !more {
			return false
		}
	}
}
