package vault

import (
	"iter"

	"github.com/cortex-auth/cortex/store"
)

// collect sets *all to what of makes of each row, never to nil.
func collect[R, T any](all *[]T, rows iter.Seq2[R, error], of func(R) T) error {
	*all = []T{}
	for r, err := range rows {
		if err != nil {
			return err
		}
		*all = append(*all, of(r))
	}
	return nil
}

// collectSeen is collect for a list that shows callers who are confined what is
// in their namespaces alone; in says where a row is.
func collectSeen[R, T any](o *op, all *[]T, rows iter.Seq2[R, error], in func(R) string, of func(R) T) error {
	o.anywhere()
	*all = []T{}
	for r, err := range rows {
		if err != nil {
			return err
		}
		if o.by.Within(in(r)) {
			*all = append(*all, of(r))
		}
	}
	return nil
}

// each yields what of makes of each row.
func each[R, T any](rows iter.Seq2[R, error], of func(R) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range rows {
			if !yield(of(r), err) {
				return
			}
		}
	}
}

// gather returns the rows themselves, so that they can be changed or deleted
// while nobody iterates.
func gather[R any](rows iter.Seq2[R, error]) (all []R, err error) {
	err = collect(&all, rows, func(r R) R { return r })
	return all, err
}

// dropAll deletes rows from their bucket.
func dropAll[R store.Row](o *op, b *store.Bucket[R], rows iter.Seq2[R, error]) error {
	all, err := gather(rows)
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := b.Delete(o.Tx, r.Key()); err != nil {
			return err
		}
	}
	return nil
}
