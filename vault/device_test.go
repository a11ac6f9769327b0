package vault

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// Anonymous callers cannot fill the disk with log-ins.
func TestPendingDevicesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, db, _ := newTestVault(t)
		edit(t, db, func(tx *store.Tx) error {
			for i := range maxPending {
				id := fmt.Sprintf("%04d", i)
				row := deviceRow{ID: id, Code: id, UserCode: id, Status: devicePending, Expires: time.Now().Add(deviceLife).UnixNano()}
				if err := devices.Insert(tx, row); err != nil {
					return err
				}
			}
			return nil
		})
		before, _, err := v.AuditLog(t.Context(), testAdmin, AuditQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, err := v.AuthorizeDevice(t.Context(), access.Origin{}, nil); !errors.Is(err, ErrTooMany) {
				t.Errorf("got %v", err)
			}
		}
		after, _, err := v.AuditLog(t.Context(), testAdmin, AuditQuery{})
		if err != nil || len(after) > len(before)+1 {
			t.Errorf("100 refusals made %d entries, %v", len(after)-len(before), err)
		}
		time.Sleep(deviceLife)
		if _, err := v.AuthorizeDevice(t.Context(), access.Origin{}, nil); err != nil {
			t.Error(err)
		}
		if err := v.keepHouse(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, err := v.Devices(t.Context(), testAdmin); err != nil || len(all) != 1 {
			t.Errorf("%d rows are left, %v", len(all), err)
		}
	})
}
