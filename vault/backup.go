package vault

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/backup"
)

// A Backup is a copy of the vault's file, encrypted as it stands. Close it.
type Backup struct {
	// Header says what it is of.
	Header backup.Header

	copied  *store.Copy
	release func()
}

// WriteTo writes the backup in its form. It can be done once.
func (b *Backup) WriteTo(w io.Writer) (int64, error) {
	n, err := b.Header.Length()
	if err != nil {
		return 0, err
	}
	return n, backup.Write(w, b.Header, b.copied)
}

// Close forgets the copy, and lets the next be made.
func (b *Backup) Close() error {
	defer b.release()
	return b.copied.Close()
}

// Backup makes a copy of the vault while everything goes on. That it is made is
// recorded before, also in the copy. While there is another that was not closed
// it is [ErrTooMany]; where there is no room for a copy, [store.ErrFull].
func (v *Vault) Backup(ctx context.Context, by access.Caller) (*Backup, error) {
	if !v.copying.TryLock() {
		return nil, ErrTooMany
	}
	b, err := v.makeBackup(ctx, by)
	if err != nil {
		v.copying.Unlock()
		return nil, err
	}
	b.release = v.copying.Unlock
	return b, nil
}

func (v *Vault) makeBackup(ctx context.Context, by access.Caller) (*Backup, error) {
	k, release, err := v.use()
	if err != nil {
		return nil, err
	}
	defer release()
	if err := v.doWith(ctx, k, by, record{action: access.Backup}, func(*op) error { return nil }); err != nil {
		return nil, err
	}
	b := &Backup{Header: backup.Header{VaultID: k.vaultID, Time: time.Now().UTC()}}
	b.copied, err = v.db.Copy(ctx, func(tx *store.Tx) error {
		head, err := readHead(tx, k)
		b.Header.Head = head.Marshal()
		return err
	})
	if err != nil {
		return nil, translate(err)
	}
	b.Header.Size, b.Header.Schema = uint64(b.copied.Size()), b.copied.Schema
	return b, nil
}

// restored says that the file was put back from a backup, and that nobody has
// unsealed it since. It can be written while the vault is sealed: whoever takes
// it away could as well have put the file back by hand.
var restored = store.Clear[restoredRow]("restored")

const restoredKey = store.Key("restored")

// A restoredRow says what was restored.
type restoredRow struct {
	Made int64 `cbor:"1,keyasint"` // the backup, Unix nanoseconds
	Back int64 `cbor:"2,keyasint"` // its restoring
}

// Key returns the key of the one row there is.
func (restoredRow) Key() store.Key { return restoredKey }

// MarkRestored notes that the file of a sealed vault was put back from a backup
// that was made then. The next [Vault.Unseal] ends every token, session and
// log-in in it, and raises an alarm.
func (v *Vault) MarkRestored(ctx context.Context, made time.Time) error {
	return v.db.Update(ctx, func(tx *store.Tx) error {
		return restored.Put(tx, restoredRow{Made: made.UnixNano(), Back: time.Now().UnixNano()})
	})
}

// settleRestored does what MarkRestored announces, in one transaction: what had
// ended since the backup was made would be good again.
func (v *Vault) settleRestored(ctx context.Context, k *keys) error {
	var found bool
	err := v.db.View(ctx, func(tx *store.Tx) (err error) {
		found, err = restored.Has(tx, restoredKey)
		return err
	})
	if err != nil || !found {
		return err
	}
	var done *op
	err = v.db.Update(ctx, func(tx *store.Tx) error {
		row, err := restored.Get(tx, restoredKey)
		if err != nil {
			return err
		}
		done = v.newOp(tx, k, access.TheSystem(), record{
			action: access.Restore, status: statusAlarm, resource: "backup of " + nanos(row.Made).Format(time.RFC3339),
		})
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
