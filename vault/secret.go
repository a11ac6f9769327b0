package vault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// MaxValue is the greatest size of a secret's value, in bytes.
const MaxValue = 1 << 20

// A SecretType says what a secret's value is.
type SecretType string

// The types of secrets.
const (
	// KeyValue is one text, delivered in one environment variable.
	KeyValue SecretType = "KEY_VALUE"
	// JSONConfig is a JSON text, delivered as it stands.
	JSONConfig SecretType = "JSON_CONFIG"
	// TemplateConfig is a template, which is never delivered by itself.
	TemplateConfig SecretType = "TEMPLATE_CONFIG"
)

// secrets says what secrets there are; their values lie in secretValues.
var (
	secrets       = store.Rows[secretRow]("secret")
	secretsByPath = store.Unique(secrets, "secret_by_path", func(r secretRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Path), true
	})
	secretsInOrder = store.Unique(secrets, "secret_in_order", func(r secretRow) (store.Key, bool) {
		return store.Join(r.Path, r.Namespace), true
	})
	secretsByForm = store.NewMulti(secrets, "secret_by_form", func(r secretRow) (store.Key, bool) {
		return store.Join(r.Namespace, form(r.Path)), true
	})
	secretsOf = store.NewMulti(secrets, "secret_by_namespace", func(r secretRow) (store.Key, bool) {
		return store.Key(r.Namespace), true
	})
	secretValues = store.Rows[secretValueRow]("secret_value")
)

type secretRow struct {
	ID          string     `cbor:"1,keyasint"`
	Namespace   string     `cbor:"2,keyasint"`
	Path        string     `cbor:"3,keyasint"`
	Type        SecretType `cbor:"4,keyasint"`
	Description *string    `cbor:"5,keyasint,omitempty"`
	Honey       bool       `cbor:"6,keyasint,omitempty"`
	Version     uint64     `cbor:"7,keyasint"`
	Created     int64      `cbor:"8,keyasint"`
	Updated     int64      `cbor:"9,keyasint"`
}

// Key returns the row id, which renaming would not change.
func (r secretRow) Key() store.Key { return store.Key(r.ID) }

// A secretValueRow is the sealed value of one version.
type secretValueRow struct {
	ID       string           `cbor:"1,keyasint"`
	Version  uint64           `cbor:"2,keyasint"`
	Envelope keyring.Envelope `cbor:"3,keyasint"`
}

// Key returns id and version.
func (r secretValueRow) Key() store.Key { return valueKey(r.ID, r.Version) }

func valueKey(id string, version uint64) store.Key { return store.Join(id, pad(version)) }

// form is how a variable name finds a secret by its path: lower case, with
// underscores for slashes.
func form(path string) string { return strings.ReplaceAll(strings.ToLower(path), "/", "_") }

// A Secret is everything about a secret but its value.
type Secret struct {
	ID        string
	Path      string
	Type      SecretType
	Namespace string
	// Description is nil if there is none.
	Description *string
	// Honey marks a trap: whoever fetches it is an intruder.
	Honey bool
	// Version counts the values, from 1.
	Version          uint64
	Created, Updated time.Time
}

func (r secretRow) secret() Secret {
	return Secret{
		ID: r.ID, Path: r.Path, Type: r.Type, Namespace: r.Namespace, Description: r.Description,
		Honey: r.Honey, Version: r.Version, Created: nanos(r.Created), Updated: nanos(r.Updated),
	}
}

// NewSecret is what [Vault.CreateSecret] needs.
type NewSecret struct {
	Path  string
	Type  SecretType
	Value opaque.Bytes
	// Description is nil for none.
	Description *string
	// Namespace is made if need be. If empty, the default one.
	Namespace string
	Honey     bool
}

func (n NewSecret) validate() error {
	if err := checkPath("key_path", n.Path); err != nil {
		return err
	}
	if !slices.Contains([]SecretType{KeyValue, JSONConfig, TemplateConfig}, n.Type) {
		return invalid("secret_type", "must be KEY_VALUE, JSON_CONFIG or TEMPLATE_CONFIG")
	}
	if err := checkName("namespace", namespaceOr(n.Namespace)); err != nil {
		return err
	}
	if err := checkText("description", n.Description, maxDescription); err != nil {
		return err
	}
	return checkValue(n.Type, n.Value)
}

// checkValue refuses what could not be delivered.
func checkValue(t SecretType, value opaque.Bytes) error {
	b := value.Reveal()
	switch {
	case len(b) > MaxValue:
		return invalid("value", "must not be longer than %d bytes", MaxValue)
	case !utf8.Valid(b):
		return invalid("value", "must be UTF-8")
	case bytes.IndexByte(b, 0) >= 0:
		return invalid("value", "must not contain a NUL, which no environment variable can hold")
	case t == JSONConfig && !json.Valid(b):
		return invalid("value", "must be JSON")
	case t == TemplateConfig:
		return checkTemplate(b)
	}
	return nil
}

// CreateSecret keeps a new secret. A path that is taken in its namespace is
// [ErrExists].
func (v *Vault) CreateSecret(ctx context.Context, by access.Caller, n NewSecret) (s Secret, err error) {
	if err := n.validate(); err != nil {
		return Secret{}, err
	}
	err = v.do(ctx, by, record{action: access.CreateSecret, resource: n.Path}, func(o *op) error {
		now := o.now.UnixNano()
		row := secretRow{
			ID: uuid.NewString(), Namespace: namespaceOr(n.Namespace), Path: n.Path, Type: n.Type,
			Description: n.Description, Honey: n.Honey, Version: 1, Created: now, Updated: now,
		}
		s = row.secret()
		o.aboutSecret(row)
		if err := o.ensureNamespace(row.Namespace); err != nil {
			return err
		}
		if err := secrets.Insert(o.Tx, row); err != nil {
			return err
		}
		return o.putValue(row, n.Value)
	})
	return s, err
}

// aboutSecret says in the record which secret it is: its path may stand in
// several namespaces.
func (o *op) aboutSecret(r secretRow) {
	o.record.resource = r.Path
	o.record.about(r.ID, "namespace="+r.Namespace)
	if r.Honey {
		o.record.about("honey", "true")
	}
}

// putValue seals the value of r's version.
func (o *op) putValue(r secretRow, value opaque.Bytes) error {
	e, err := o.seal("secret_value", r.ID, r.Version, value.Reveal())
	if err != nil {
		return err
	}
	return secretValues.Insert(o.Tx, secretValueRow{ID: r.ID, Version: r.Version, Envelope: e})
}

// openValue returns the value of r's version, which the caller wipes. Whatever
// goes wrong is the vault's fault: the row says that there is a value.
func (o *op) openValue(r secretRow) (opaque.Bytes, error) {
	row, err := secretValues.Get(o.Tx, valueKey(r.ID, r.Version))
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("reading value of secret %s: %v", r.ID, err)
	}
	plain, err := o.keys.open("secret_value", r.ID, r.Version, row.Envelope)
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("opening value of secret %s: %w", r.ID, err)
	}
	return opaque.New(plain), nil
}

// Secrets returns the secrets of a namespace, of all if it is empty, by path.
func (v *Vault) Secrets(ctx context.Context, by access.Caller, namespace string) (all []Secret, err error) {
	err = v.look(ctx, by, access.ListSecrets, func(o *op) error {
		rows := secrets.All(o.Tx, "")
		if namespace != "" {
			rows = secretsOf.All(o.Tx, store.Key(namespace))
		}
		return collect(&all, rows, secretRow.secret)
	})
	slices.SortFunc(all, func(a, b Secret) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Namespace, b.Namespace))
	})
	return all, err
}

// SecretsPage returns a part of what Secrets does, and the position to go on
// after, empty at the end. It reads no more than the part.
func (v *Vault) SecretsPage(ctx context.Context, by access.Caller, namespace string, p Page) (part []Secret, next string, err error) {
	err = v.look(ctx, by, access.ListSecrets, func(o *op) (err error) {
		rows := secretsInOrder.From(o.Tx, store.Key(p.After), "")
		at := func(r secretRow) string { return string(store.Join(r.Path, r.Namespace)) }
		if namespace != "" {
			rows = secretsByPath.From(o.Tx, store.Key(p.After), store.Key(namespace))
			at = func(r secretRow) string { return string(store.Join(r.Namespace, r.Path)) }
		}
		part, next, err = take(p, rows, at, secretRow.secret)
		return err
	})
	return part, next, err
}

// ReadSecret returns a secret and its value, which the caller wipes. The
// reading is recorded before the value leaves.
func (v *Vault) ReadSecret(ctx context.Context, by access.Caller, id string) (s Secret, value opaque.Bytes, err error) {
	err = v.do(ctx, by, record{action: access.ReadSecret, resource: id}, func(o *op) error {
		value.Wipe()
		row, err := secrets.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		o.aboutSecret(row)
		s = row.secret()
		value, err = o.openValue(row)
		return err
	})
	if err != nil {
		value.Wipe()
		return Secret{}, opaque.Bytes{}, err
	}
	return s, value, nil
}

// SecretChange says what to change; nil fields stay as they are.
type SecretChange struct {
	Value       *opaque.Bytes
	Description *string
	Honey       *bool
}

// UpdateSecret changes a secret. A new value makes a new version and takes the
// place of the old one.
func (v *Vault) UpdateSecret(ctx context.Context, by access.Caller, id string, c SecretChange) (s Secret, err error) {
	if err := checkText("description", c.Description, maxDescription); err != nil {
		return Secret{}, err
	}
	err = v.do(ctx, by, record{action: access.UpdateSecret, resource: id}, func(o *op) error {
		row, err := secrets.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		o.aboutSecret(row)
		if row, err = o.change(row, c); err != nil {
			return err
		}
		s = row.secret()
		return secrets.Put(o.Tx, row)
	})
	return s, err
}

func (o *op) change(row secretRow, c SecretChange) (secretRow, error) {
	row.Updated = o.now.UnixNano()
	if c.Description != nil {
		row.Description = c.Description
		o.record.about("description", "changed")
	}
	if c.Honey != nil {
		row.Honey = *c.Honey
		o.record.about("honey", strconv.FormatBool(row.Honey))
	}
	if c.Value == nil {
		return row, nil
	}
	o.record.about("value", "changed")
	if err := checkValue(row.Type, *c.Value); err != nil {
		return row, err
	}
	if err := secretValues.Delete(o.Tx, valueKey(row.ID, row.Version)); err != nil {
		return row, fmt.Errorf("deleting value of secret %s: %v", row.ID, err)
	}
	row.Version++
	return row, o.putValue(row, *c.Value)
}

// DeleteSecret deletes a secret, its value, and every grant of it.
func (v *Vault) DeleteSecret(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.DeleteSecret, resource: id}, func(o *op) error {
		row, err := secrets.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		o.aboutSecret(row)
		grants, err := gather(grantsBySecret.All(o.Tx, store.Key(id)))
		if err != nil {
			return err
		}
		for _, g := range grants {
			if err := o.dropGrant(g); err != nil {
				return err
			}
		}
		if err := secretValues.Delete(o.Tx, valueKey(row.ID, row.Version)); err != nil {
			return fmt.Errorf("deleting value of secret %s: %v", row.ID, err)
		}
		return secrets.Delete(o.Tx, row.Key())
	})
}
