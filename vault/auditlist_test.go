package vault

import (
	"testing"

	"github.com/cortex-auth/cortex/vault/access"
)

// crowd puts n entries of no interest into the trail.
func crowd(t *testing.T, v *Vault, n int) {
	t.Helper()
	err := v.do(t.Context(), access.TheSystem(), record{action: access.Start}, func(o *op) error {
		o.also = make([]record, n-1)
		for i := range o.also {
			o.also[i] = record{action: access.Start}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A search for what is rare ends early, and goes on where it ended.
func TestAuditSearchIsBounded(t *testing.T) {
	v, _, _ := newTestVault(t)
	rare := func(id string) {
		t.Helper()
		if err := v.do(t.Context(), testAdmin, record{action: access.Stop, resource: id}, func(*op) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	rare("first")
	crowd(t, v, maxAuditLooks+1)
	rare("second")
	crowd(t, v, maxAuditLooks+1)
	q := AuditQuery{Action: string(access.Stop)}
	var found []string
	parts := 0
	for ; ; parts++ {
		rows, next, err := v.AuditLog(t.Context(), testAdmin, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			found = append(found, *r.Resource)
		}
		if q.After = next; next == "" {
			break
		}
	}
	if parts != 2 || len(found) != 2 || found[0] != "second" || found[1] != "first" {
		t.Errorf("found %v in %d parts", found, parts+1)
	}
}
