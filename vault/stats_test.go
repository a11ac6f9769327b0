package vault_test

import (
	"testing"
	"testing/synctest"

	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// Every operation that is counted has a name: keeping house, which records
// nothing where there is nothing to do, is none.
func TestOnlyRecordsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		keep(t, v, "", "key", "1")
		keepHouse(t, v)
		s, err := v.Stats(t.Context())
		if err != nil || len(s.Operations) == 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		for _, o := range s.Operations {
			if o.Action == "" {
				t.Errorf("%d operations without a name", o.Count)
			}
		}
	})
}
