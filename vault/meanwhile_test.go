package vault_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// Nothing leaves for an agent that is frozen after its request was looked at, and before
// that is on the record.
func TestFrozenMeanwhile(t *testing.T) {
	for what, ask := range map[string]func(keyed) error{
		"values": func(k keyed) error {
			_, err := k.fetchResult("app", k.bearer)
			return err
		},
		"a template": func(k keyed) error {
			_, err := k.config("app", "app.conf", k.bearer)
			return err
		},
		"a signature": func(k keyed) error { return k.try(k.login()) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := storetest.New(t)
				v := vaulttest.On(t, db, vault.Config{RequireAttestation: true})
				k := readySSHOn(t, v)
				keepTemplate(t, v, "app.conf", "text", false)
				if err := ask(k); err != nil {
					t.Fatal(err)
				}
				goOn := holdUpdates(t, db)
				frozen, asked := make(chan error, 1), make(chan error, 1)
				go func() {
					_, _, err := v.Freeze(t.Context(), vaulttest.Admin, vault.FreezeTarget{Kind: vault.FreezeAgent, Name: "bot"}, nil)
					frozen <- err
				}()
				synctest.Wait()
				go func() { asked <- ask(k) }()
				synctest.Wait()
				goOn()
				if err := <-frozen; err != nil {
					t.Fatal(err)
				}
				want(t, <-asked, vault.ErrUnauthorized)
			})
		})
	}
}

// holdUpdates has updates wait, each for the one before it, until the function it returns
// is called.
func holdUpdates(t *testing.T, db *store.DB) (goOn func()) {
	t.Helper()
	held, over := make(chan struct{}), make(chan struct{})
	hold := sync.OnceFunc(func() { close(held) })
	go db.Update(t.Context(), func(*store.Tx) error {
		hold()
		<-over
		return nil
	})
	<-held
	return func() { close(over) }
}
