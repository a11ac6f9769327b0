package vault

import (
	"context"
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
