package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
)

func TestJoinNUL(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a part with NUL was taken")
		}
	}()
	store.Join("a", "b\x00")
}

// Law: a key splits into the parts it was made of, and keys are ordered as
// their parts are.
func FuzzJoin(f *testing.F) {
	f.Add("", "", "", "")
	f.Add("a", "b", "ab", "")
	f.Add("a", "b", "a", "b")
	f.Add("a\x01", "b", "a", "\x01b")
	f.Add("é", "\xff", "e", "")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		if strings.Contains(a+b+c+d, "\x00") {
			return
		}
		x, y := []string{a, b}, []string{c, d}
		j, k := store.Join(x...), store.Join(y...)
		if !slices.Equal(strings.Split(string(j), "\x00"), x) {
			t.Errorf("%q became %q", x, j)
		}
		if want := slices.Compare(x, y); strings.Compare(string(j), string(k)) != want {
			t.Errorf("%q and %q are ordered unlike %q and %q", j, k, x, y)
		}
	})
}
