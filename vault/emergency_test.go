package vault

import (
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// The reserve is for what cuts somebody off or tells of an attack, and never for
// what lets a value out.
func TestShare(t *testing.T) {
	for name, c := range map[string]struct {
		records []record
		want    store.Share
	}{
		"freeze":                  {[]record{{action: access.Freeze}}, store.Whole},
		"freeze that was refused": {[]record{{action: access.Freeze, status: statusDenied}}, store.Half},
		"start":                   {[]record{{action: access.Start, status: statusSuccess}}, store.Whole},
		"fetch":                   {[]record{{action: access.GetSecrets}}, 0},
		"fetch of what is frozen": {[]record{{action: access.GetSecrets, status: statusFrozen}}, store.Half},
		"honey":                   {[]record{{action: access.GetSecrets, status: statusDenied}, {action: access.HoneyTokenAccess, status: statusAlarm}}, store.Half},
		"read":                    {[]record{{action: access.ReadSecret}}, 0},
		"pending":                 {[]record{{action: access.DiscoverPendingNew, status: statusPending}}, 0},
		"a wrong token":           {[]record{{action: access.AdminLogin, status: "failed"}}, store.Half},
		"unfreeze":                {[]record{{action: access.Unfreeze}}, 0},
	} {
		o := &op{record: c.records[0], also: c.records[1:]}
		if got := o.share(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
