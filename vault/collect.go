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

// filter yields the rows that keep wants.
func filter[R any](rows iter.Seq2[R, error], keep func(R) bool) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for r, err := range rows {
			if (err != nil || keep(r)) && !yield(r, err) {
				return
			}
		}
	}
}

// visible yields the rows that a caller who is confined may see: those in its
// namespaces. in says where a row is.
func visible[R any](o *op, rows iter.Seq2[R, error], in func(R) string) iter.Seq2[R, error] {
	o.anywhere()
	return filter(rows, func(r R) bool { return o.by.Within(in(r)) })
}

// collectSeen is collect for rows that are visible.
func collectSeen[R, T any](o *op, all *[]T, rows iter.Seq2[R, error], in func(R) string, of func(R) T) error {
	return collect(all, visible(o, rows, in), of)
}

// same is for rows that stay as they are.
func same[R any](r R) R { return r }

// convert returns what of makes of each row, never nil.
func convert[R, T any](rows []R, of func(R) T) []T {
	all := make([]T, len(rows))
	for i, r := range rows {
		all[i] = of(r)
	}
	return all
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
	err = collect(&all, rows, same)
	return all, err
}

// single returns the one row there is, else [ErrNotFound] or [ErrAmbiguous].
func single[R any](rows []R) (r R, err error) {
	switch len(rows) {
	case 0:
		return r, ErrNotFound
	case 1:
		return rows[0], nil
	}
	return r, ErrAmbiguous
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

// atMost returns the first n rows that pick wants.
func atMost[R any](n int, rows iter.Seq2[R, error], pick func(R) bool) (found []R, err error) {
	for r, err := range filter(rows, pick) {
		if err != nil {
			return nil, err
		}
		if found = append(found, r); len(found) == n {
			break
		}
	}
	return found, nil
}

// dropAtMost deletes the first n rows of a bucket that are old, and returns how
// many there were.
func dropAtMost[R store.Row](o *op, n int, b *store.Bucket[R], old func(R) bool) (int, error) {
	rows, err := atMost(n, b.All(o.Tx, ""), old)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		if err := b.Delete(o.Tx, r.Key()); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}
