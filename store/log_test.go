package store_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

func seqs(t *testing.T, seq func(func(store.Record, error) bool)) (all []uint64) {
	t.Helper()
	for r, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Value) != fmt.Sprint(r.Seq) {
			t.Fatalf("record %d holds %q", r.Seq, r.Value)
		}
		all = append(all, r.Seq)
	}
	return all
}

func TestLog(t *testing.T) {
	db := storetest.New(t)
	view(t, db, func(tx *store.Tx) error {
		if _, _, ok, err := trail.Last(tx); ok || err != nil {
			t.Errorf("an empty log has an end: %v, %v", ok, err)
		}
		if _, err := trail.Get(tx, 1); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		if got := seqs(t, trail.Backward(tx, 0)); got != nil {
			t.Error(got)
		}
		return nil
	})
	update(t, db, func(tx *store.Tx) error {
		for _, n := range []uint64{1, 2, 3, 10, math.MaxUint64} {
			if err := trail.Append(tx, n, fmt.Append(nil, n)); err != nil {
				return err
			}
		}
		for _, n := range []uint64{0, 1, 3, 10, math.MaxUint64} {
			if err := trail.Append(tx, n, nil); !errors.Is(err, store.ErrExists) {
				t.Errorf("appending %d again: %v", n, err)
			}
		}
		return nil
	})
	view(t, db, func(tx *store.Tx) error {
		if seq, value, ok, err := trail.Last(tx); seq != math.MaxUint64 || len(value) != 20 || !ok || err != nil {
			t.Errorf("Last: %d, %q, %v, %v", seq, value, ok, err)
		}
		if v, err := trail.Get(tx, 10); err != nil || string(v) != "10" {
			t.Errorf("Get: %q, %v", v, err)
		}
		const end = math.MaxUint64
		for _, c := range []struct {
			from           uint64
			ahead, reverse []uint64
		}{
			{0, []uint64{1, 2, 3, 10, end}, []uint64{end, 10, 3, 2, 1}},
			{1, []uint64{1, 2, 3, 10, end}, []uint64{1}},
			{3, []uint64{3, 10, end}, []uint64{3, 2, 1}},
			{4, []uint64{10, end}, []uint64{3, 2, 1}},
			{11, []uint64{end}, []uint64{10, 3, 2, 1}},
			{end, []uint64{end}, []uint64{end, 10, 3, 2, 1}},
		} {
			if got := seqs(t, trail.All(tx, c.from)); !slices.Equal(got, c.ahead) {
				t.Errorf("All from %d: %v", c.from, got)
			}
			if got := seqs(t, trail.Backward(tx, c.from)); !slices.Equal(got, c.reverse) {
				t.Errorf("Backward from %d: %v", c.from, got)
			}
		}
		return nil
	})
}

func TestLogDeleteThrough(t *testing.T) {
	const n = 5000
	db := storetest.New(t)
	update(t, db, func(tx *store.Tx) error {
		for i := uint64(1); i <= n; i++ {
			if err := trail.Append(tx, i, fmt.Append(nil, i)); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		through   uint64
		max, want int
		first     uint64
	}{
		{0, 10, 0, 1},
		{2000, 500, 500, 501},
		{2000, 5000, 1500, 2001},
		{2000, 5000, 0, 2001},
		{n, n, 3000, 0},
	} {
		update(t, db, func(tx *store.Tx) error {
			got, err := trail.DeleteThrough(tx, c.through, c.max)
			if got != c.want {
				t.Errorf("through %d, at most %d: %d", c.through, c.max, got)
			}
			return err
		})
		view(t, db, func(tx *store.Tx) error {
			if all := seqs(t, trail.All(tx, 0)); c.first == 0 && all != nil || c.first > 0 && all[0] != c.first {
				t.Errorf("begins at %v", all[:1])
			}
			return nil
		})
	}
}

func TestLogWriteWhileIterating(t *testing.T) {
	db := storetest.New(t)
	update(t, db, func(tx *store.Tx) error {
		for i := uint64(1); i <= 1000; i++ {
			if err := trail.Append(tx, i, fmt.Append(nil, i)); err != nil {
				return err
			}
		}
		var back []uint64
		for r, err := range trail.Backward(tx, 0) {
			if err != nil {
				return err
			}
			back = append(back, r.Seq)
			if r.Seq == 600 {
				if _, err := trail.DeleteThrough(tx, 300, 1000); err != nil {
					return err
				}
			}
		}
		if len(back) != 700 || back[699] != 301 {
			t.Errorf("%d records backward", len(back))
		}
		n := 0
		for r, err := range trail.All(tx, 0) {
			if err != nil {
				return err
			}
			n++
			if _, err := trail.DeleteThrough(tx, r.Seq, 1); err != nil {
				return err
			}
		}
		if n != 700 {
			t.Errorf("%d records ahead", n)
		}
		// Deleting what a backward loop stands on, and everything behind it.
		for i := uint64(1001); i <= 1010; i++ {
			if err := trail.Append(tx, i, fmt.Append(nil, i)); err != nil {
				return err
			}
		}
		n = 0
		for r, err := range trail.Backward(tx, 0) {
			if err != nil {
				return err
			}
			if n++; r.Seq == 1005 {
				if _, err := trail.DeleteThrough(tx, 1010, 100); err != nil {
					return err
				}
			}
		}
		if n != 6 {
			t.Errorf("%d records before the end went", n)
		}
		return nil
	})
}
