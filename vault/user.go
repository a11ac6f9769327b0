package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// users are the accounts of people.
var (
	users       = store.Rows[userRow]("user").Kept()
	usersByName = store.Unique(users, "user_by_name", func(r userRow) (store.Key, bool) {
		return store.Key(r.Name), true
	})
)

type userRow struct {
	ID         string      `cbor:"1,keyasint"`
	Name       string      `cbor:"2,keyasint"`
	Role       access.Role `cbor:"3,keyasint"`
	Namespaces []string    `cbor:"4,keyasint,omitempty"` // none: all
	Salt       []byte      `cbor:"5,keyasint"`
	Tag        []byte      `cbor:"6,keyasint"` // HMAC of the stretched password under the pepper
	Disabled   bool        `cbor:"7,keyasint,omitempty"`
	Created    int64       `cbor:"8,keyasint"`
	// PasswordBy is the name of whoever chose the password, and PasswordAt when:
	// see [op.person]. Accounts from before this was kept have neither.
	PasswordBy string `cbor:"9,keyasint,omitempty"`
	PasswordAt int64  `cbor:"10,keyasint,omitempty"`
}

// Key returns the row id.
func (r userRow) Key() store.Key { return store.Key(r.ID) }

// A User is the account of a person.
type User struct {
	ID, Name string
	Role     access.Role
	// Namespaces are those that the account is confined to; none for all.
	Namespaces []string
	// Disabled accounts cannot log in.
	Disabled bool
	Created  time.Time
}

func (r userRow) user() User {
	return User{ID: r.ID, Name: r.Name, Role: r.Role, Namespaces: slices.Clone(r.Namespaces), Disabled: r.Disabled, Created: nanos(r.Created)}
}

// The lengths of an account's password, in bytes.
const (
	minPassword = 12
	maxPassword = 1024
)

// maxScope bounds the namespaces of an account.
const maxScope = 100

// NewUser is what [Vault.CreateUser] needs.
type NewUser struct {
	// Name is 1 to 128 letters, digits, '_', '@', ':' or '-', and not "admin",
	// which is what the administrator's token is called.
	Name string
	Role access.Role
	// Namespaces confine the account, if there are any. A super account cannot
	// be confined.
	Namespaces []string
	// Password is 12 to 1024 bytes.
	Password opaque.Bytes
}

func (n NewUser) validate() error {
	if !proof.ValidAgentID(n.Name) || strings.EqualFold(n.Name, "admin") || strings.EqualFold(n.Name, "system") {
		return invalid("name", "must be 1 to 128 letters, digits, '_', '@', ':' or '-', and not \"admin\" or \"system\"")
	}
	if err := checkRole(n.Role, n.Namespaces); err != nil {
		return err
	}
	return checkPassword("password", n.Password)
}

func checkRole(r access.Role, namespaces []string) error {
	switch {
	case !r.Valid():
		return invalid("role", "must be super, admin, approver or auditor")
	case r == access.Super && len(namespaces) > 0:
		return invalid("namespaces", "cannot confine a super account")
	case len(namespaces) > maxScope:
		return invalid("namespaces", "must not be more than %d", maxScope)
	}
	for _, ns := range namespaces {
		if err := checkName("namespaces", ns); err != nil {
			return err
		}
	}
	return nil
}

// checkScope refuses namespaces that there are not: an account would be confined
// to whatever somebody makes under a name that was misspelled.
func (o *op) checkScope(namespaced []string) error {
	for _, name := range namespaced {
		found, err := namespaces.Has(o.Tx, store.Key(name))
		if err != nil {
			return err
		}
		if !found {
			return invalid("namespaces", "has %s, which does not exist", name)
		}
	}
	return nil
}

func checkPassword(field string, p opaque.Bytes) error {
	if n := p.Len(); n < minPassword || n > maxPassword {
		return invalid(field, "must be %d to %d bytes long", minPassword, maxPassword)
	}
	return nil
}

// userLabel keeps the pepper's uses apart.
var userLabel = []byte("user-password")

// stretch returns the tag under which a password is kept. It takes a while, and
// so must not be called in a transaction.
func (v *Vault) stretch(ctx context.Context, k *keys, id string, password opaque.Bytes, salt []byte) ([]byte, error) {
	cost := cmp.Or(v.cfg.TestOnlyAccountCost, keyring.AccountCost)
	derived, err := cost.StretchPassword(ctx, password, salt)
	if err != nil {
		return nil, err
	}
	defer locked.Wipe(derived)
	tag := k.pepper.Tag(userLabel, []byte(id), derived)
	return tag[:], nil
}

// newPassword returns a salt and a tag for a password.
func (v *Vault) newPassword(ctx context.Context, id string, password opaque.Bytes) (salt, tag []byte, err error) {
	k, release, err := v.use()
	if err != nil {
		return nil, nil, err
	}
	defer release()
	salt = make([]byte, 16)
	rand.Read(salt)
	tag, err = v.stretch(ctx, k, id, password, salt)
	return salt, tag, err
}

// CreateUser makes an account. A name that is taken is [ErrExists]. This and
// what follows are a [ConfirmationError] where a second person is needed: with
// [Config.TwoPerson], for accounts that are or become super.
func (v *Vault) CreateUser(ctx context.Context, by access.Caller, n NewUser) (u User, err error) {
	if err := n.validate(); err != nil {
		return User{}, err
	}
	asked := record{action: access.CreateUser, resource: n.Name}
	if err := v.may(ctx, by, asked); err != nil {
		return User{}, err
	}
	id := uuid.NewString()
	salt, tag, err := v.newPassword(ctx, id, n.Password)
	if err != nil {
		return User{}, err
	}
	err = v.do(ctx, by, asked, func(o *op) error {
		row := userRow{ID: id, Name: n.Name, Role: n.Role, Namespaces: n.Namespaces, Created: o.now.UnixNano()}
		o.setPassword(&row, salt, tag)
		o.aboutUser(row)
		if err := o.checkScope(n.Namespaces); err != nil {
			return err
		}
		if _, err := usersByName.Get(o.Tx, store.Key(n.Name)); err == nil {
			return ErrExists // before anybody is asked to confirm
		}
		if ok, err := o.agreed(userRow{}, row); !ok {
			return err
		}
		u = row.user()
		return users.Insert(o.Tx, row)
	})
	return u, err
}

// setPassword gives an account a password that the caller chose.
func (o *op) setPassword(r *userRow, salt, tag []byte) {
	r.Salt, r.Tag = salt, tag
	r.PasswordBy, r.PasswordAt = o.by.Name, o.now.UnixNano()
}

// aboutUser says in the record what an account may do.
func (o *op) aboutUser(r userRow) {
	o.record.resource = r.Name
	o.record.about(r.ID, "role="+string(r.Role)+" namespaces="+strings.Join(r.Namespaces, ","))
	if r.Disabled {
		o.record.about(r.ID, "disabled")
	}
}

// Users returns every account, by name.
func (v *Vault) Users(ctx context.Context, by access.Caller) (all []User, err error) {
	err = v.look(ctx, by, access.ListUsers, func(o *op) error {
		return collect(&all, users.All(o.Tx, ""), userRow.user)
	})
	slices.SortFunc(all, func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

// A UserChange says what to change of an account; nil fields stay as they are.
type UserChange struct {
	Role       *access.Role
	Namespaces *[]string
	Disabled   *bool
	// Password is 12 to 1024 bytes.
	Password *opaque.Bytes
}

// UpdateUser changes an account, and ends its log-ins.
func (v *Vault) UpdateUser(ctx context.Context, by access.Caller, id string, c UserChange) (u User, err error) {
	var salt, tag []byte
	if c.Password != nil {
		if err := checkPassword("password", *c.Password); err != nil {
			return User{}, err
		}
		if by.May(access.UpdateUser) {
			if salt, tag, err = v.newPassword(ctx, id, *c.Password); err != nil {
				return User{}, err
			}
		}
	}
	err = v.do(ctx, by, record{action: access.UpdateUser, resource: id}, func(o *op) error {
		row, err := users.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		next, err := o.changeUser(row, c)
		if err != nil {
			return err
		}
		if c.Password != nil {
			o.setPassword(&next, salt, tag)
			o.record.about(row.ID, "password")
		}
		if ok, err := o.agreed(row, next); !ok {
			return err
		}
		u = next.user()
		if err := o.endLogins(row.ID, ""); err != nil {
			return err
		}
		return users.Put(o.Tx, next)
	})
	return u, err
}

func (o *op) changeUser(row userRow, c UserChange) (userRow, error) {
	assign(&row.Role, c.Role)
	assign(&row.Namespaces, c.Namespaces)
	assign(&row.Disabled, c.Disabled)
	o.aboutUser(row)
	if err := checkRole(row.Role, row.Namespaces); err != nil || c.Namespaces == nil {
		return row, err
	}
	return row, o.checkScope(row.Namespaces)
}

// DeleteUser deletes an account and ends its log-ins.
func (v *Vault) DeleteUser(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.DeleteUser, resource: id}, func(o *op) error {
		row, err := users.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		o.aboutUser(row)
		if ok, err := o.agreed(row, userRow{}); !ok {
			return err
		}
		if err := o.endLogins(row.ID, ""); err != nil {
			return err
		}
		return users.Delete(o.Tx, row.Key())
	})
}

// ChangeOwnPassword changes the password of the account that asks, and ends its
// other log-ins. A wrong current password is [ErrUnauthorized].
func (v *Vault) ChangeOwnPassword(ctx context.Context, by access.Caller, current, next opaque.Bytes) error {
	if by.ID == "" {
		return invalid("the admin token", "has no password; restart the server with --reset-admin-token")
	}
	if err := checkPassword("new_password", next); err != nil {
		return err
	}
	row, err := v.rightPassword(ctx, by.Name, current, by.Origin)
	if err != nil {
		return err
	}
	salt, tag, err := v.newPassword(ctx, row.ID, next)
	if err != nil {
		return err
	}
	return v.replacePassword(ctx, by, row, salt, tag)
}

// replacePassword gives an account another password in the place of the one that
// was right.
func (v *Vault) replacePassword(ctx context.Context, by access.Caller, row userRow, salt, tag []byte) error {
	return v.do(ctx, by, record{action: access.ChangeOwnPassword, resource: by.Name}, func(o *op) error {
		o.anywhere()
		now, err := o.unchanged(row)
		if err != nil {
			return err
		}
		o.setPassword(&now, salt, tag)
		if err := o.endLogins(now.ID, by.Credential); err != nil {
			return err
		}
		return users.Put(o.Tx, now)
	})
}
