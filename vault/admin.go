package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/token"
)

// AdminTokenMin is the length of the shortest admin token accepted, in bytes.
const AdminTokenMin = 16

// adminTokens holds the one admin token.
var adminTokens = store.Rows[adminTokenRow]("admin_token").Kept()

const adminTokenKey = store.Key("admin")

// adminTokenLabel keeps the pepper's uses apart.
var adminTokenLabel = []byte("admin-token")

// An adminTokenRow holds an HMAC of the token under the pepper.
type adminTokenRow struct {
	Tag []byte `cbor:"1,keyasint"`
	Set int64  `cbor:"2,keyasint"`
}

// Key returns the key of the one row there is.
func (adminTokenRow) Key() store.Key { return adminTokenKey }

// AuthenticateAdmin returns the administrator for the right token, or the
// account for the token of a log-in, else [ErrUnauthorized].
func (v *Vault) AuthenticateAdmin(ctx context.Context, given opaque.Bytes, from access.Origin) (access.Caller, error) {
	k, release, err := v.use()
	if err != nil {
		return access.Caller{}, err
	}
	defer release()
	good, err := v.isAdminToken(ctx, k, given)
	if err != nil {
		return access.Caller{}, err
	}
	if good {
		return access.Caller{Kind: access.Admin, Role: access.Super, Name: "admin", Auth: "admin-token", Origin: from}, nil
	}
	by, err := v.loggedIn(ctx, k, given, from)
	if errors.Is(err, ErrUnauthorized) {
		err = v.fail(ctx, k, from, record{action: access.AdminLogin}, err)
	}
	return by, err
}

// isAdminToken reports whether given is the stored token. It takes no
// different time for tokens that are nearly right.
func (v *Vault) isAdminToken(ctx context.Context, k *keys, given opaque.Bytes) (bool, error) {
	var row adminTokenRow
	err := v.db.View(ctx, func(tx *store.Tx) (err error) {
		row, err = adminTokens.Get(tx, adminTokenKey)
		return err
	})
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return given.Len() > 0 && k.pepper.Verify(row.Tag, adminTokenLabel, given.Reveal()), nil
}

// UseAdminToken makes t the admin token, and reports whether that replaced
// another one. A token shorter than 16 bytes is an [InvalidError].
func (v *Vault) UseAdminToken(ctx context.Context, t opaque.Bytes) (replaced bool, err error) {
	if t.Len() < AdminTokenMin {
		return false, invalid("the admin token", "must have at least %d bytes", AdminTokenMin)
	}
	k, release, err := v.use()
	if err != nil {
		return false, err
	}
	same, err := v.isAdminToken(ctx, k, t)
	tag := k.pepper.Tag(adminTokenLabel, t.Reveal())
	release()
	if err != nil || same {
		return false, err
	}
	err = v.do(ctx, access.TheSystem(), record{action: access.SetAdminToken}, func(o *op) (err error) {
		if replaced, err = adminTokens.Has(o.Tx, adminTokenKey); err != nil {
			return err
		}
		o.record.resource = "first"
		if replaced {
			o.record.resource = "replaced"
		}
		return adminTokens.Put(o.Tx, adminTokenRow{Tag: tag[:], Set: o.now.UnixNano()})
	})
	return replaced, err
}

// EnsureAdminToken makes an admin token if the vault has none, and reports
// whether it did. The token is shown before it is stored: a token that is
// stored and was never seen locks everybody out. An error of show stores
// nothing.
func (v *Vault) EnsureAdminToken(ctx context.Context, show func(opaque.Bytes) error) (created bool, err error) {
	err = v.look(ctx, access.TheSystem(), access.SetAdminToken, func(o *op) error {
		found, err := adminTokens.Has(o.Tx, adminTokenKey)
		created = !found
		return err
	})
	if err != nil || !created {
		return false, err
	}
	return true, v.ResetAdminToken(ctx, show)
}

// ResetAdminToken makes a new admin token, shows it, and then lets it replace
// the one there is. An error of show changes nothing.
func (v *Vault) ResetAdminToken(ctx context.Context, show func(opaque.Bytes) error) error {
	t := token.Random()
	defer t.Wipe()
	if err := show(t); err != nil {
		return fmt.Errorf("showing admin token: %w", err)
	}
	_, err := v.UseAdminToken(ctx, t)
	return err
}

// nanos returns the time of n Unix nanoseconds, in UTC.
func nanos(n int64) time.Time { return time.Unix(0, n).UTC() }
