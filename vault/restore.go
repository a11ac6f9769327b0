package vault

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// These can be read and written while the vault is sealed: whoever takes such a
// row away could as well have put the file back by hand.
var (
	// restored says that the file was put back from a backup, and that nobody has
	// unsealed it since.
	restored = store.Clear[restoredRow]("restored")
	// twoPerson is there if the vault was last served with [Config.TwoPerson].
	twoPerson = store.Clear[twoPersonRow]("two_person")
)

const (
	restoredKey  = store.Key("restored")
	twoPersonKey = store.Key("two_person")
)

// A restoredRow says what was restored.
type restoredRow struct {
	Made int64 `cbor:"1,keyasint"` // the backup, Unix nanoseconds
	Back int64 `cbor:"2,keyasint"` // its restoring
	// Confirmed is the super account that confirmed it, and Tag an HMAC of all
	// this under the pepper: whoever writes to the file cannot make it up.
	Confirmed string `cbor:"3,keyasint,omitempty"`
	Tag       []byte `cbor:"4,keyasint,omitempty"`
}

// Key returns the key of the one row there is.
func (restoredRow) Key() store.Key { return restoredKey }

// A twoPersonRow says since when.
type twoPersonRow struct {
	Since int64 `cbor:"1,keyasint"` // Unix nanoseconds
}

// Key returns the key of the one row there is.
func (twoPersonRow) Key() store.Key { return twoPersonKey }

// tag returns what shows that Confirmed did.
func (r restoredRow) tag(k *keys) []byte {
	be := binary.BigEndian
	times := be.AppendUint64(be.AppendUint64(nil, uint64(r.Made)), uint64(r.Back))
	tag := k.pepper.Tag([]byte("restore-confirmed"), []byte(k.vaultID), times, []byte(r.Confirmed))
	return tag[:]
}

// noteTwoPersons writes down whether the vault is served with a second person,
// for those who have nothing but a copy of it.
func (o *op) noteTwoPersons() error {
	found, err := twoPerson.Has(o.Tx, twoPersonKey)
	switch {
	case err != nil || found == o.cfg.TwoPerson:
		return err
	case found:
		o.record.about("two persons", "off")
		return twoPerson.Delete(o.Tx, twoPersonKey)
	}
	o.record.about("two persons", "on")
	return twoPerson.Put(o.Tx, twoPersonRow{Since: o.now.UnixNano()})
}

// TwoPersons reports whether the vault was last served with a second person for
// what could give it away. It may be sealed.
func (v *Vault) TwoPersons(ctx context.Context) (found bool, err error) {
	err = v.db.View(ctx, func(tx *store.Tx) (err error) {
		found, err = twoPerson.Has(tx, twoPersonKey)
		return err
	})
	return found, err
}

// MarkRestored notes that the file of a sealed vault was put back from a backup
// that was made then. The next [Vault.Unseal] ends every token, session and
// log-in in it, and raises an alarm. Where two persons are needed it is
// [ErrUnconfirmed]: see [Vault.MarkConfirmed].
func (v *Vault) MarkRestored(ctx context.Context, made time.Time) error {
	return v.markRestored(ctx, restoredRow{Made: made.UnixNano(), Back: time.Now().UnixNano()})
}

func (v *Vault) markRestored(ctx context.Context, row restoredRow) error {
	return v.db.Update(ctx, func(tx *store.Tx) error { return restored.Put(tx, row) })
}

// MarkConfirmed is MarkRestored with the consent of a second person: a super
// account that is in the backup, by its password there. The operator's password
// opens the vault for that, and leaves it sealed; errors about it are those of
// Unseal. An account that is none, or no super, or has another password, or one
// that somebody else chose, is [ErrUnauthorized].
func (v *Vault) MarkConfirmed(ctx context.Context, made time.Time, operator opaque.Bytes, name string, password opaque.Bytes) error {
	vaultID, _, kek, err := v.openSlot(ctx, operator)
	if err != nil {
		return err
	}
	k := &keys{vaultID: vaultID, kek: kek}
	defer k.destroy()
	defer v.db.SetMAC(nil)
	if err := v.open(ctx, k); err != nil {
		return err
	}
	user, err := v.accountWith(ctx, k, name, password)
	if err != nil {
		return err
	}
	if user.Role != access.Super || !user.own() {
		return ErrUnauthorized
	}
	row := restoredRow{Made: made.UnixNano(), Back: time.Now().UnixNano(), Confirmed: user.Name}
	row.Tag = row.tag(k)
	return v.markRestored(ctx, row)
}

// settleRestored does what MarkRestored announces, in one transaction: what had
// ended since the backup was made would be good again.
func (v *Vault) settleRestored(ctx context.Context, k *keys) error {
	row, found, err := v.toSettle(ctx, k)
	if err != nil || !found {
		return err
	}
	var done *op
	err = v.db.Update(ctx, func(tx *store.Tx) error {
		done = v.newOp(tx, k, access.TheSystem(), record{
			action: access.Restore, status: statusAlarm, resource: "backup of " + nanos(row.Made).Format(time.RFC3339),
		})
		if row.Confirmed != "" {
			done.record.about(row.Confirmed, "confirmed")
		}
		if err := done.endEverything(); err != nil {
			return err
		}
		if err := restored.Delete(tx, restoredKey); err != nil {
			return err
		}
		return done.write()
	})
	if err != nil {
		return fmt.Errorf("ending what was good when the backup was made: %w", err)
	}
	v.announce(done)
	return nil
}

// toSettle returns what is to be settled, false if nothing is. A confirmation
// that is not genuine is none; where one is needed that is [ErrUnconfirmed].
func (v *Vault) toSettle(ctx context.Context, k *keys) (row restoredRow, found bool, err error) {
	var two bool
	err = v.db.View(ctx, func(tx *store.Tx) (err error) {
		if two, err = twoPerson.Has(tx, twoPersonKey); err != nil {
			return err
		}
		row, err = restored.Get(tx, restoredKey)
		return err
	})
	switch {
	case isNotFound(err):
		return row, false, nil
	case err != nil:
		return row, false, err
	case !hmac.Equal(row.Tag, row.tag(k)):
		row.Confirmed = ""
	}
	if row.Confirmed == "" && (two || v.cfg.TwoPerson) {
		return row, true, ErrUnconfirmed
	}
	return row, true, nil
}

// endEverything ends tokens of projects, sessions of daemons and of accounts,
// and log-ins of hosts. Approvals and grants stand.
func (o *op) endEverything() error {
	all, err := gather(tokens.All(o.Tx, ""))
	if err != nil {
		return err
	}
	ended := 0
	for _, t := range all {
		if t.Revoked != 0 {
			continue
		}
		ended++
		t.Revoked = o.now.UnixNano()
		if err := tokens.Put(o.Tx, t); err != nil {
			return err
		}
	}
	o.record.about("project tokens", fmt.Sprintf("%d revoked", ended))
	if err := dropAll(o, sessions, sessions.All(o.Tx, "")); err != nil {
		return err
	}
	if err := dropAll(o, devices, devices.All(o.Tx, "")); err != nil {
		return err
	}
	return dropAll(o, logins, logins.All(o.Tx, ""))
}
