package store_test

import (
	"fmt"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// benchRow is about as large as an audit entry.
type benchRow struct {
	ID   string `cbor:"1,keyasint"`
	Name string `cbor:"2,keyasint"`
	Data []byte `cbor:"3,keyasint"`
}

func (r benchRow) Key() store.Key { return store.Key(r.ID) }

var benchRows = store.Rows[benchRow]("bench")

var _ = store.Unique(benchRows, "bench_by_name", func(r benchRow) (store.Key, bool) { return store.Key(r.Name), true })

func newBenchRow(i int) benchRow {
	return benchRow{ID: fmt.Sprintf("%016d", i), Name: fmt.Sprintf("name-%d", i), Data: make([]byte, 200)}
}

// newBenchDB returns a store with n rows.
func newBenchDB(b *testing.B, n int) *store.DB {
	db := storetest.New(b)
	update(b, db, func(tx *store.Tx) error {
		for i := range n {
			if err := benchRows.Put(tx, newBenchRow(i)); err != nil {
				return err
			}
		}
		return nil
	})
	return db
}

// BenchmarkUpdate inserts rows, one in an update, by writers that come back as
// soon as they are answered. An operation is one row by each writer.
func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db := newBenchDB(b, 0)
			b.ReportAllocs()
			tasks, done := make(chan int), make(chan error)
			for range writers {
				go func() {
					for i := range tasks {
						done <- db.Update(b.Context(), func(tx *store.Tx) error { return benchRows.Insert(tx, newBenchRow(i)) })
					}
				}()
			}
			rows, pending := 0, 0
			for b.Loop() {
				for range writers {
					for sent := false; !sent; {
						select {
						case tasks <- rows:
							rows, pending, sent = rows+1, pending+1, true
						case err := <-done:
							if pending--; err != nil {
								b.Fatal(err)
							}
						}
					}
				}
			}
			for ; pending > 0; pending-- {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			close(tasks)
			s := db.Stats()
			b.ReportMetric(float64(s.Updates)/float64(s.Commits), "rows/commit")
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkGet reads one row in a View.
func BenchmarkGet(b *testing.B) {
	const n = 1000
	db := newBenchDB(b, n)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		if err := db.View(b.Context(), func(tx *store.Tx) error {
			_, err := benchRows.Get(tx, newBenchRow(i%n).Key())
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKept is BenchmarkGet by an index, of rows that are remembered.
func BenchmarkKept(b *testing.B) {
	const n = 1000
	db := storetest.New(b)
	update(b, db, func(tx *store.Tx) error {
		for i := range n {
			if err := cards.Put(tx, card{ID: fmt.Sprint(i), Owner: fmt.Sprint("owner-", i), Note: make([]byte, 200)}); err != nil {
				return err
			}
		}
		return nil
	})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		if err := db.View(b.Context(), func(tx *store.Tx) error {
			_, err := byOwner.Get(tx, store.Key(fmt.Sprint("owner-", i%n)))
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRewrite reads and rewrites 10,000 rows in one update, as a rotation
// of keys does.
func BenchmarkRewrite(b *testing.B) {
	const n = 10_000
	db := newBenchDB(b, n)
	b.ReportAllocs()
	for b.Loop() {
		update(b, db, func(tx *store.Tx) error {
			for r, err := range benchRows.All(tx, "") {
				if err != nil {
					return err
				}
				r.Data[0]++
				if err := benchRows.Put(tx, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}
