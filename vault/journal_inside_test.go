package vault

import (
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// What is known of the journals of an agent goes with it.
func TestJournalRowsOfADeletedAgent(t *testing.T) {
	db := storetest.New(t)
	v := New(Config{DB: db, Params: keyring.Params{Memory: 8 << 10, Time: 1, Threads: 1}})
	if err := v.Init(t.Context(), opaque.New([]byte("operator password"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for _, agent := range []string{"a", "ab"} {
			if err := journals.Put(tx, journalRow{Agent: agent, Signer: "key"}); err != nil {
				return err
			}
		}
		return v.newOp(tx, v.keys, access.Caller{}, record{}).dropAgent(agentRow{ID: "a"})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := gather(journals.All(tx, ""))
		if err != nil || len(rows) != 1 || rows[0].Agent != "ab" {
			t.Errorf("%+v, %v", rows, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
