package e2e_test

import (
	"os"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"
)

// A phase is what a rotation is in the midst of.
type phase int

const (
	wrapping phase = iota
	compacting
	neither
)

func (p phase) String() string { return [...]string{"wrapping", "compacting", "neither"}[p] }

// look looks into the file of a vault that nobody serves.
func (r *rotator) look(fn func(tx *bolt.Tx) error) {
	r.t.Helper()
	db, err := bolt.Open(r.file(), 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(fn); err != nil {
		r.t.Fatal(err)
	}
}

// untag is how long the tag before each row is.
const untag = 32

// phase says what was under way when the server was killed.
func (r *rotator) phase() (p phase) {
	r.t.Helper()
	p = neither
	r.look(func(tx *bolt.Tx) error {
		var row struct {
			Bucket   int    `cbor:"5,keyasint"`
			After    string `cbor:"6,keyasint"`
			Finished int64  `cbor:"8,keyasint"`
		}
		if err := cbor.Unmarshal(tx.Bucket([]byte("rotation")).Get([]byte("last"))[untag:], &row); err != nil {
			return err
		}
		_, err := os.Stat(r.file() + ".compact")
		switch {
		case row.Finished == 0 && (row.Bucket > 0 || row.After != ""):
			p = wrapping
		case row.Finished != 0 && err == nil:
			p = compacting
		}
		return nil
	})
	return p
}

// remember notes what is wrapped before a rotation begins: the last 48 bytes of
// each row.
func (r *rotator) remember() {
	r.t.Helper()
	r.look(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("secret_wrap")).ForEach(func(_, value []byte) error {
			wrap := [48]byte(value[16:])
			r.old[[8]byte(wrap[:])] = wrap
			return nil
		})
	})
}

// oldWraps counts what is in the file of what was remembered, in rows and on
// freed pages.
func (r *rotator) oldWraps() (n int) {
	r.t.Helper()
	file, err := os.ReadFile(r.file())
	if err != nil {
		r.t.Fatal(err)
	}
	for ; len(file) >= 48; file = file[1:] {
		if wrap, ok := r.old[[8]byte(file)]; ok && wrap == [48]byte(file) {
			n++
		}
	}
	return n
}
