package vault

import (
	"testing"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Another password is as dear to guess as the one before, on whatever machine it
// is set, unless the configuration has a cost of its own.
func TestPasswordKeepsItsCost(t *testing.T) {
	ctx, dearer := t.Context(), keyring.Params{Memory: 16 << 10, Time: 2, Threads: 1}
	db := storetest.New(t)
	v := New(Config{DB: db, Params: testParams})
	if err := v.Init(ctx, testPassword()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	if _, err := v.SplitKey(ctx, testAdmin, 2, 2, opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	costs := func(done error, want keyring.Params) {
		t.Helper()
		_, found, err := v.readSlots(ctx)
		if done != nil || err != nil {
			t.Fatal(done, err)
		}
		for _, s := range found {
			if !s.IsRecovery() && s.Params != want {
				t.Errorf("costs %+v, want %+v", s.Params, want)
			}
		}
	}
	for _, c := range []struct{ configured, want keyring.Params }{
		{dearer, dearer}, {keyring.Params{}, dearer}, {testParams, testParams}, {keyring.Params{}, testParams},
	} {
		v.cfg.Params = c.configured
		costs(v.ChangePassword(ctx, testAdmin, testPassword(), testPassword()), c.want)
	}
	v.cfg.Params = keyring.Params{}
	_, err := v.RotateKEK(ctx, testAdmin, testPassword(), opaque.Bytes{})
	costs(err, testParams)
}
