package store

import (
	"fmt"
	"runtime"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// guard calls fn, which reads the mapped file. A page that cannot be read (the
// disk fails there, the file was cut short) is a memory fault, which would end
// the process; here it is ErrDamaged. Other panics go their way.
func guard(tx *bolt.Tx, fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	start, size := tx.DB().Info().Data, uintptr(tx.Size())
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		f, ok := r.(interface {
			runtime.Error
			Addr() uintptr
		})
		if !ok || f.Addr() < start || f.Addr() >= start+size {
			panic(r)
		}
		err = fmt.Errorf("%w: cannot read at offset %d", ErrDamaged, f.Addr()-start)
	}()
	return fn()
}
