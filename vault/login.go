package vault

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/token"
)

const (
	// loginTTL is how long a log-in lasts.
	loginTTL = 12 * time.Hour
	// maxLogins bounds the log-ins of one account; the oldest ends.
	maxLogins = 20
	// maxStretching bounds how many log-ins wait for their password to be
	// checked, one at a time.
	maxStretching = 4
	// byLogin is the [access.Caller.Auth] of accounts that are logged in.
	byLogin = "login"
)

// logins are accounts that are logged in.
var (
	logins       = store.Rows[loginRow]("login").Kept()
	loginsByHash = store.Unique(logins, "login_by_hash", func(r loginRow) (store.Key, bool) {
		return store.Key(r.Hash), true
	})
	loginsByUser = store.NewMulti(logins, "login_by_user", func(r loginRow) (store.Key, bool) {
		return store.Key(r.User), true
	})
)

type loginRow struct {
	ID      string `cbor:"1,keyasint"`
	User    string `cbor:"2,keyasint"` // row id
	Hash    string `cbor:"3,keyasint"` // HMAC of the token under the index key, hex
	Created int64  `cbor:"4,keyasint"`
	Expires int64  `cbor:"5,keyasint"`
}

// Key returns the row id.
func (r loginRow) Key() store.Key { return store.Key(r.ID) }

// A LoginResult is an account that is logged in.
type LoginResult struct {
	// Token is 64 hex characters; it goes where the admin token does.
	Token   opaque.Bytes
	Expires time.Time
	User    User
}

// Login checks the password of an account. A wrong one, and an account that does
// not exist or is disabled, is [ErrUnauthorized]. It is [ErrTooMany] while
// others wait for the same.
func (v *Vault) Login(ctx context.Context, from access.Origin, name string, password opaque.Bytes) (res LoginResult, err error) {
	user, err := v.rightPassword(ctx, name, password, from)
	if err != nil {
		return LoginResult{}, err
	}
	return v.logIn(ctx, from, user)
}

// logIn logs in an account whose password was right.
func (v *Vault) logIn(ctx context.Context, from access.Origin, user userRow) (res LoginResult, err error) {
	secret := token.Random()
	by := user.caller("password", "", from)
	err = v.do(ctx, by, record{action: access.Login, resource: user.Name}, func(o *op) error {
		o.anywhere()
		now, err := o.unchanged(user)
		if err != nil {
			return err
		}
		if err := o.makeRoom(now.ID); err != nil {
			return err
		}
		row := loginRow{
			ID: uuid.NewString(), User: now.ID, Hash: o.keys.hash(hashLogin, secret.Reveal()),
			Created: o.now.UnixNano(), Expires: o.now.Add(loginTTL).Truncate(time.Second).UnixNano(),
		}
		res = LoginResult{Token: secret, Expires: nanos(row.Expires), User: now.user()}
		return logins.Insert(o.Tx, row)
	})
	if err != nil {
		secret.Wipe()
		return LoginResult{}, err
	}
	return res, nil
}

// makeRoom deletes log-ins of an account that ended, and the oldest of too many.
func (o *op) makeRoom(user string) error {
	all, err := gather(loginsByUser.All(o.Tx, store.Key(user)))
	if err != nil {
		return err
	}
	var oldest loginRow
	left := 0
	for _, r := range all {
		if r.Expires <= o.now.UnixNano() {
			if err := logins.Delete(o.Tx, r.Key()); err != nil {
				return err
			}
			continue
		}
		if left++; oldest.ID == "" || r.Created < oldest.Created {
			oldest = r
		}
	}
	if left < maxLogins {
		return nil
	}
	return logins.Delete(o.Tx, oldest.Key())
}

// rightPassword is accountWith for a request, of which few wait at a time. What
// is wrong counts as a failure.
func (v *Vault) rightPassword(ctx context.Context, name string, password opaque.Bytes, from access.Origin) (userRow, error) {
	done, err := hold(v.stretching)
	if err != nil {
		return userRow{}, err
	}
	defer done()
	k, release, err := v.use()
	if err != nil {
		return userRow{}, err
	}
	defer release()
	row, err := v.accountWith(ctx, k, name, password)
	if errors.Is(err, ErrUnauthorized) {
		err = v.fail(ctx, k, from, record{action: access.Login}, err)
	}
	return row, err
}

// accountWith returns the account that has that name and password, else
// [ErrUnauthorized]. It takes as long for names that are nobody's.
func (v *Vault) accountWith(ctx context.Context, k *keys, name string, password opaque.Bytes) (userRow, error) {
	row := userRow{Salt: make([]byte, 16)}
	if checkAgentID("", name) == nil {
		err := v.db.View(ctx, func(tx *store.Tx) error {
			found, err := usersByName.Get(tx, store.Key(name))
			if err == nil {
				row = found
			}
			if isNotFound(err) {
				return nil
			}
			return err
		})
		if err != nil {
			return userRow{}, err
		}
	}
	if password.Len() > maxPassword {
		password = opaque.New(nil) // is nobody's
	}
	tag, err := v.stretch(ctx, k, row.ID, password, row.Salt)
	if err != nil {
		return userRow{}, err
	}
	right := subtle.ConstantTimeCompare(tag, row.Tag) == 1
	if row.ID == "" || !right || row.Disabled {
		return userRow{}, ErrUnauthorized
	}
	return row, nil
}

// caller returns the account as an authenticated party.
func (r userRow) caller(auth, credential string, from access.Origin) access.Caller {
	return access.Caller{
		Kind: access.Admin, ID: r.ID, Name: r.Name, Role: r.Role, Namespaces: r.Namespaces,
		Auth: auth, Credential: credential, Origin: from,
	}
}

// loggedIn returns the account that the token of a log-in belongs to, else
// [ErrUnauthorized].
func (v *Vault) loggedIn(ctx context.Context, k *keys, given opaque.Bytes, from access.Origin) (by access.Caller, err error) {
	if given.Len() != token.RandomSize {
		return access.Caller{}, ErrUnauthorized
	}
	err = v.db.View(ctx, func(tx *store.Tx) error {
		row, err := loginsByHash.Get(tx, store.Key(k.hash(hashLogin, given.Reveal())))
		if err != nil {
			return ended(err)
		}
		user, err := row.holder(tx, time.Now())
		by = user.caller(byLogin, row.ID, from)
		return err
	})
	return by, err
}

// holder returns the account that is logged in, else [ErrUnauthorized].
func (r loginRow) holder(tx *store.Tx, now time.Time) (userRow, error) {
	if r.Expires <= now.UnixNano() {
		return userRow{}, ErrUnauthorized
	}
	user, err := users.Get(tx, store.Key(r.User))
	if err == nil && user.Disabled {
		err = ErrUnauthorized
	}
	return user, ended(err)
}

// ended makes [ErrUnauthorized] of what is not there any more.
func ended(err error) error {
	if isNotFound(err) {
		return ErrUnauthorized
	}
	return err
}

// stillLoggedIn returns [ErrUnauthorized] if the caller is an account whose
// log-in ended after its request was let in, or that may something else now: a
// request can take its time between its header and its transaction.
func (o *op) stillLoggedIn() error {
	if o.by.Auth != byLogin {
		return nil
	}
	row, err := logins.Get(o.Tx, store.Key(o.by.Credential))
	if err != nil {
		return ended(err)
	}
	user, err := row.holder(o.Tx, o.now)
	if err == nil && (user.ID != o.by.ID || user.Role != o.by.Role || !slices.Equal(user.Namespaces, o.by.Namespaces)) {
		return ErrUnauthorized
	}
	return err
}

// unchanged returns an account whose password was right as it is now, else
// [ErrUnauthorized]: by the time that this is known, it may have another.
func (o *op) unchanged(was userRow) (userRow, error) {
	now, err := users.Get(o.Tx, was.Key())
	if err == nil && (now.Disabled || !bytes.Equal(now.Tag, was.Tag)) {
		err = ErrUnauthorized
	}
	return now, ended(err)
}

// WhoAmI returns the account that asks. For the administrator's token it is one
// without an id.
func (v *Vault) WhoAmI(ctx context.Context, by access.Caller) (u User, err error) {
	u = User{Name: by.Name, Role: by.Role}
	if by.ID == "" {
		return u, nil
	}
	err = v.look(ctx, by, access.WhoAmI, func(o *op) error {
		o.anywhere()
		row, err := users.Get(o.Tx, store.Key(by.ID))
		u = row.user()
		return err
	})
	return u, err
}

// Logout ends the log-in that asks. The administrator's token has none.
func (v *Vault) Logout(ctx context.Context, by access.Caller) error {
	if by.ID == "" {
		return invalid("the admin token", "is no log-in; restart the server with --reset-admin-token to replace it")
	}
	return v.do(ctx, by, record{action: access.Logout, resource: by.Name}, func(o *op) error {
		o.anywhere()
		return logins.Delete(o.Tx, store.Key(by.Credential))
	})
}

// endLogins ends the log-ins of an account but one.
func (o *op) endLogins(user, but string) error {
	return dropAll(o, logins, filter(loginsByUser.All(o.Tx, store.Key(user)), func(r loginRow) bool { return r.ID != but }))
}

// purgeLogins deletes log-ins that ended.
func (o *op) purgeLogins(n int) (int, error) {
	return dropAtMost(o, n, logins, func(r loginRow) bool { return r.Expires <= o.now.UnixNano() })
}
