package vault

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// How many versions of a secret are kept.
const (
	defaultVersions = 10
	mostVersions    = 100
)

// maxMessage is the longest message of a version, in bytes.
const maxMessage = 512

// secretValues are the values of all versions that are kept, each sealed for its
// secret and its version. The wrap of each, the key it opens with under the KEK, lies
// under the same key in secretWraps: a rotation writes all of these anew, and nothing
// else. They need no tag, because they open in their place and nowhere else.
var (
	secretValues = store.Rows[secretValueRow]("secret_value").Kept()
	secretWraps  = store.NewPlain("secret_wrap")
)

// A secretValueRow is the sealed value of one version, and how it came about.
type secretValueRow struct {
	ID      string  `cbor:"1,keyasint"`
	Version uint64  `cbor:"2,keyasint"`
	By      string  `cbor:"4,keyasint"`
	Created int64   `cbor:"5,keyasint"`
	Message *string `cbor:"6,keyasint,omitempty"`
	Public  string  `cbor:"7,keyasint,omitempty"` // of a generated key
	Of      uint64  `cbor:"8,keyasint,omitempty"` // the version it brought back
	Nonce   []byte  `cbor:"9,keyasint"`           // of Body
	Body    []byte  `cbor:"10,keyasint"`
}

// Key returns id and version.
func (r secretValueRow) Key() store.Key { return valueKey(r.ID, r.Version) }

func valueKey(id string, version uint64) store.Key { return store.Join(id, pad(version)) }

// splitValueKey undoes valueKey. Of what is none it makes a place where nothing was
// sealed.
func splitValueKey(key store.Key) (id string, version uint64) {
	id, digits, _ := strings.Cut(string(key), "\x00")
	version, _ = strconv.ParseUint(digits, 10, 64)
	return id, version
}

// A SecretVersion says how one value of a secret came about.
type SecretVersion struct {
	// Version counts from 1. The one with the greatest number is delivered.
	Version uint64
	Created time.Time
	// By is the name of who made it.
	By string
	// Message says why, nil if nobody said.
	Message *string
	// RolledBackTo is the version whose value it brought back, 0 for none.
	RolledBackTo uint64
	// PublicKey is as in [Secret].
	PublicKey string
}

func (r secretValueRow) version() SecretVersion {
	return SecretVersion{
		Version: r.Version, Created: nanos(r.Created), By: r.By, Message: r.Message, RolledBackTo: r.Of, PublicKey: r.Public,
	}
}

// A content is what a version is made of.
type content struct {
	value   opaque.Bytes
	public  string
	message *string
	of      uint64
}

func checkMaxVersions(n int) error {
	if n < 0 || n > mostVersions {
		return invalid("max_versions", "must be 1 to %d", mostVersions)
	}
	return nil
}

// kept returns how many versions of a secret are kept.
func (r secretRow) kept() int {
	if r.MaxVersions == 0 {
		return defaultVersions
	}
	return r.MaxVersions
}

// newVersion makes c the value of a secret, and tells who holds it. The caller
// prunes, and writes the row that it returns.
func (o *op) newVersion(r secretRow, c content) (secretRow, error) {
	if err := checkValue(r.Type, c.value); err != nil {
		return r, err
	}
	r.Version++
	r.Updated = o.now.UnixNano()
	if err := o.tellChanged(r); err != nil {
		return r, err
	}
	return r, o.putVersion(r, c)
}

// putVersion seals the value of r's version.
func (o *op) putVersion(r secretRow, c content) error {
	e, err := o.seal(secretValues.Name(), r.ID, r.Version, c.value.Reveal())
	if err != nil {
		return err
	}
	row := secretValueRow{
		ID: r.ID, Version: r.Version, By: o.by.Name, Created: o.now.UnixNano(),
		Message: c.message, Public: c.public, Of: c.of, Nonce: e.Nonce, Body: e.Body,
	}
	if err := secretValues.Insert(o.Tx, row); err != nil {
		return err
	}
	return secretWraps.Put(o.Tx, row.Key(), e.Wrap())
}

// dropVersion deletes a version. What is left of its wrap on freed pages is gone
// when the file was compacted.
func (o *op) dropVersion(key store.Key) error {
	if err := secretValues.Delete(o.Tx, key); err != nil {
		return err
	}
	return secretWraps.Delete(o.Tx, key)
}

// sealed returns the row of a version, and the envelope of its value, which is good
// until the transaction ends or writes.
func (o *op) sealed(id string, version uint64) (r secretValueRow, f keyring.Found, err error) {
	key := valueKey(id, version)
	if r, err = secretValues.Get(o.Tx, key); err != nil {
		return r, f, err
	}
	wrap, err := secretWraps.Get(o.Tx, key)
	if isNotFound(err) {
		return r, f, fmt.Errorf("opening value of secret %s: version %d has no key", id, version)
	}
	if err != nil {
		return r, f, err
	}
	f.Label = o.keys.label(secretValues.Name(), id, version)
	f.Envelope, err = keyring.Envelope{Nonce: r.Nonce, Body: r.Body}.WithWrap(wrap)
	return r, f, err
}

// prune deletes the versions that are too old to be kept. They have no gaps, so
// it ends at the first that is gone already.
func (o *op) prune(r secretRow) error {
	if r.Version <= uint64(r.kept()) {
		return nil
	}
	for n := r.Version - uint64(r.kept()); n > 0; n-- {
		err := o.dropVersion(valueKey(r.ID, n))
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openValue returns the value of r's version, which the caller wipes. Whatever
// goes wrong is the vault's fault: the row says that there is a value.
func (o *op) openValue(r secretRow) (opaque.Bytes, error) {
	values, err := o.openValues([]secretRow{r})
	if err != nil {
		return opaque.Bytes{}, err
	}
	return values[0], nil
}

// openValues is openValue for several, all or none.
func (o *op) openValues(rs []secretRow) ([]opaque.Bytes, error) {
	found := make([]keyring.Found, 0, len(rs))
	for _, r := range rs {
		_, f, err := o.sealed(r.ID, r.Version)
		if isNotFound(err) {
			err = fmt.Errorf("reading value of secret %s: it has none of version %d", r.ID, r.Version)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	contents, err := o.keys.openAll(found)
	if err != nil {
		return nil, fmt.Errorf("opening values: %w", err)
	}
	values := make([]opaque.Bytes, 0, len(contents))
	for _, c := range contents {
		values = append(values, opaque.New(c))
	}
	return values, nil
}

// openVersion returns a version and its value, which the caller wipes.
func (o *op) openVersion(id string, version uint64) (secretValueRow, opaque.Bytes, error) {
	row, f, err := o.sealed(id, version)
	if err != nil {
		return row, opaque.Bytes{}, err
	}
	contents, err := o.keys.openAll([]keyring.Found{f})
	if err != nil {
		return row, opaque.Bytes{}, fmt.Errorf("opening value of secret %s: %w", id, err)
	}
	return row, opaque.New(contents[0]), nil
}

// SecretVersions returns the versions of a secret that are kept, newest first.
func (v *Vault) SecretVersions(ctx context.Context, by access.Caller, id string) (all []SecretVersion, err error) {
	err = v.look(ctx, by, access.ListSecretVersions, func(o *op) error {
		if _, err := o.secretAt(id, 0); err != nil {
			return err
		}
		return collect(&all, secretValues.All(o.Tx, store.Key(id)), secretValueRow.version)
	})
	slices.Reverse(all)
	return all, err
}

// ReadSecretVersion is [Vault.ReadSecret] for one version, 0 for the current
// one. One that was never made, or is kept no longer, is [ErrNotFound].
func (v *Vault) ReadSecretVersion(ctx context.Context, by access.Caller, id string, version uint64) (s Secret, value opaque.Bytes, err error) {
	err = v.do(ctx, by, record{action: access.ReadSecret, resource: id}, func(o *op) error {
		value.Wipe()
		row, err := o.secretAt(id, 0)
		if err != nil {
			return err
		}
		if version != 0 {
			row.Version = version
			o.record.about("version", strconv.FormatUint(version, 10))
		}
		var read secretValueRow
		read, value, err = o.openVersion(row.ID, row.Version)
		s = row.secret()
		s.PublicKey = read.Public
		return err
	})
	if err != nil {
		value.Wipe()
		return Secret{}, opaque.Bytes{}, err
	}
	return s, value, nil
}

// A Rollback says which value of a secret to bring back.
type Rollback struct {
	// Version is the version whose value it is.
	Version uint64
	// Message and IfVersion are as in [SecretChange].
	Message   *string
	IfVersion uint64
}

// RollbackSecret makes a new version with the value of an old one, so that what
// was in between stays where it is. A version that is not kept is
// [ErrNotFound].
func (v *Vault) RollbackSecret(ctx context.Context, by access.Caller, id string, r Rollback) (s Secret, err error) {
	if r.Version == 0 {
		return Secret{}, invalid("version", "must be a version of the secret")
	}
	if err := checkText("message", r.Message, maxMessage); err != nil {
		return Secret{}, err
	}
	err = v.do(ctx, by, record{action: access.RollbackSecret, resource: id}, func(o *op) error {
		row, err := o.secretAt(id, r.IfVersion)
		if err != nil {
			return err
		}
		o.record.about("version", strconv.FormatUint(r.Version, 10))
		old, value, err := o.openVersion(id, r.Version)
		if err != nil {
			return err
		}
		defer value.Wipe()
		o.record.about("value", "changed")
		if row, err = o.newVersion(row, content{value: value, public: old.Public, message: r.Message, of: r.Version}); err != nil {
			return err
		}
		s = row.secret()
		s.PublicKey = old.Public
		if err := o.prune(row); err != nil {
			return err
		}
		return secrets.Put(o.Tx, row)
	})
	return s, err
}
