package limit

import "sync/atomic"

// A Budget is a number of bytes that many may hold parts of at a time. It
// makes nobody wait. It is safe for concurrent use.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a Budget of n bytes.
func NewBudget(n int64) *Budget {
	b := &Budget{}
	b.left.Store(n)
	return b
}

// Take takes n bytes and reports true, or takes nothing where less is left.
func (b *Budget) Take(n int64) bool {
	for {
		left := b.left.Load()
		if left < n {
			return false
		}
		if b.left.CompareAndSwap(left, left-n) {
			return true
		}
	}
}

// Give returns n bytes that were taken.
func (b *Budget) Give(n int64) { b.left.Add(n) }

// Left returns how many bytes can be taken.
func (b *Budget) Left() int64 { return b.left.Load() }
