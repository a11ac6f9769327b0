package vault

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/jsontext"
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
	// SSHKey is a private key without a passphrase. It is never delivered: see
	// [Vault.SignSSH].
	SSHKey SecretType = "SSH_KEY"
)

// Check refuses what is none of the types, as an [*InvalidError] about field.
func (t SecretType) Check(field string) error {
	if slices.Contains([]SecretType{KeyValue, JSONConfig, TemplateConfig, SSHKey}, t) {
		return nil
	}
	return invalid(field, "must be KEY_VALUE, JSON_CONFIG, TEMPLATE_CONFIG or SSH_KEY")
}

// secrets says what secrets there are; their values lie in secretValues. Those
// that were deleted are in deletedSecrets, so that nothing here finds them.
var (
	secrets       = store.Rows[secretRow]("secret").Kept()
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
	secretsByDue = store.NewMulti(secrets, "secret_by_due", func(r secretRow) (store.Key, bool) {
		due, ok := r.due()
		return store.Key(pad(uint64(due))), ok
	})
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
	MaxVersions int        `cbor:"10,keyasint,omitempty"` // 0: the default
	Expires     int64      `cbor:"11,keyasint,omitempty"` // 0: never
	Reminded    int        `cbor:"12,keyasint,omitempty"` // how many of the reminders are over
	Tags        []string   `cbor:"13,keyasint,omitempty"` // sorted
	KnownHosts  []string   `cbor:"14,keyasint,omitempty"` // as they were written
}

// Key returns the row id, which renaming would not change.
func (r secretRow) Key() store.Key { return store.Key(r.ID) }

// form is how a variable name finds a secret by its path: lower case, with
// underscores for slashes.
func form(path string) string { return strings.ReplaceAll(strings.ToLower(path), "/", "_") }

// A Secret is everything about a secret but its value.
type Secret struct {
	ID        string
	Path      string
	Type      SecretType
	Namespace string
	// Owner is the namespace that a secret is shared from, in a list of those
	// that are; Path and Namespace are then where it is shared into.
	Owner string
	// Description is nil if there is none.
	Description *string
	// Honey marks a trap: whoever fetches it is an intruder.
	Honey bool
	// Version counts the values, from 1.
	Version uint64
	// MaxVersions is how many of them are kept.
	MaxVersions      int
	Created, Updated time.Time
	// Expires is when the secret is delivered no more, nil if never.
	Expires *time.Time
	// Tags are sorted.
	Tags []string
	// KnownHosts are the hosts that an SSH_KEY logs in to, as they were written.
	KnownHosts []string
	// PublicKey is the public half of an SSH_KEY, and of a value that was
	// generated as a key, in the form of authorized_keys; it is there where a
	// value was written or read, and empty for other values.
	PublicKey string
	// Deleted is when the secret was deleted, and Destroyed when it will be for
	// good; both are nil for one that was not.
	Deleted, Destroyed *time.Time
}

// Expired reports whether the secret is delivered no more.
func (s Secret) Expired(now time.Time) bool { return s.Expires != nil && !now.Before(*s.Expires) }

func (r secretRow) secret() Secret {
	s := Secret{
		ID: r.ID, Path: r.Path, Type: r.Type, Namespace: r.Namespace, Description: r.Description, Honey: r.Honey,
		Version: r.Version, MaxVersions: r.kept(), Created: nanos(r.Created), Updated: nanos(r.Updated), Tags: r.Tags,
		KnownHosts: r.KnownHosts,
	}
	if r.Expires != 0 {
		s.Expires = new(nanos(r.Expires))
	}
	return s
}

// NewSecret is what [Vault.CreateSecret] needs.
type NewSecret struct {
	Path  string
	Type  SecretType
	Value opaque.Bytes
	// Generate makes the value, in the place of Value, unless it is nil.
	Generate *Generator
	// Description is nil for none.
	Description *string
	// Message says why this version was made; nil for nothing.
	Message *string
	// Namespace is made if need be. If empty, the default one.
	Namespace string
	Honey     bool
	// Expires is when the secret is delivered no more; the zero time is never.
	Expires time.Time
	Tags    []string
	// KnownHosts are the hosts that an SSH_KEY logs in to: see
	// [sshauth.ParseHost]. Without one it is good for nothing yet.
	KnownHosts []string
	// MaxVersions is how many versions are kept. If zero, 10.
	MaxVersions int
}

func (n NewSecret) validate(now time.Time) error {
	if err := checkPath("key_path", n.Path); err != nil {
		return err
	}
	if err := n.Type.Check("secret_type"); err != nil {
		return err
	}
	if err := checkName("namespace", namespaceOr(n.Namespace)); err != nil {
		return err
	}
	return cmp.Or(
		checkText("description", n.Description, maxDescription),
		checkText("message", n.Message, maxMessage),
		checkExpiry(n.Expires, n.Honey, now),
		checkTags(n.Tags),
		checkMaxVersions(n.MaxVersions),
		checkKnownHosts(n.Type, n.KnownHosts),
		checkValue(n.Type, n.Value),
	)
}

// row returns the row of a secret that has its first version.
func (n NewSecret) row(now time.Time) secretRow {
	r := secretRow{
		ID: uuid.NewString(), Namespace: namespaceOr(n.Namespace), Path: n.Path, Type: n.Type,
		Description: n.Description, Honey: n.Honey, Version: 1, Created: now.UnixNano(), Updated: now.UnixNano(),
		MaxVersions: n.MaxVersions, Tags: sortedTags(n.Tags), KnownHosts: n.KnownHosts,
	}
	r.expire(n.Expires, now)
	return r
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
	case t == TemplateConfig:
		return checkTemplate(b)
	case t == SSHKey:
		return checkSSHKey(value)
	case t != JSONConfig:
		return nil
	}
	if err := jsontext.Check(b); err != nil {
		return invalid("value", "must be JSON: %v", err)
	}
	return nil
}

// CreateSecret keeps a new secret. A path that is taken in its namespace, by a
// secret of its own or a shared one, is [ErrExists].
func (v *Vault) CreateSecret(ctx context.Context, by access.Caller, n NewSecret) (s Secret, err error) {
	made, err := n.Generate.make()
	if err != nil {
		return Secret{}, err
	}
	defer made.value.Wipe()
	if n.Generate != nil {
		n.Value = made.value
	}
	if err := n.validate(time.Now()); err != nil {
		return Secret{}, err
	}
	public, err := made.publicFor(secretRow{Type: n.Type, Path: n.Path}, n.Value)
	if err != nil {
		return Secret{}, err
	}
	err = v.do(ctx, by, record{action: access.CreateSecret, resource: n.Path}, func(o *op) error {
		row := n.row(o.now)
		s = row.secret()
		s.PublicKey = public
		o.aboutSecret(row)
		if err := o.within(row.Namespace); err != nil {
			return err
		}
		n.Generate.record(o)
		return o.insertSecret(row, content{value: n.Value, public: public, message: n.Message})
	})
	return s, err
}

// insertSecret keeps a secret with its first version, where its path is free.
func (o *op) insertSecret(r secretRow, c content) error {
	if err := o.placeSecret(r); err != nil {
		return err
	}
	return o.putVersion(r, c)
}

// placeSecret makes a secret findable, where its path is free.
func (o *op) placeSecret(r secretRow) error {
	if err := o.ensureNamespace(r.Namespace); err != nil {
		return err
	}
	if err := o.noShareAt(r.Namespace, r.Path); err != nil {
		return err
	}
	return secrets.Insert(o.Tx, r)
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

// ReadSecret returns a secret and its value, which the caller wipes. The
// reading is recorded before the value leaves.
func (v *Vault) ReadSecret(ctx context.Context, by access.Caller, id string) (s Secret, value opaque.Bytes, err error) {
	return v.ReadSecretVersion(ctx, by, id, 0)
}

// SecretChange says what to change; nil and zero fields stay as they are.
type SecretChange struct {
	// Value makes a new version. So does Generate; there may be one of them.
	Value    *opaque.Bytes
	Generate *Generator
	// Message says why the new version was made.
	Message *string
	// IfVersion is the version that the change was made for: if the secret has
	// another one by now, it is a [VersionError]. Zero is any.
	IfVersion   uint64
	Description *string
	Honey       *bool
	// Expires is when the secret is delivered no more; the zero time is never.
	Expires *time.Time
	Tags    *[]string
	// KnownHosts take the place of those there are, at once.
	KnownHosts *[]string
	// MaxVersions is how many versions are kept; older ones go at once.
	MaxVersions int
}

func (c SecretChange) validate() error {
	switch {
	case c.Value != nil && c.Generate != nil:
		return invalid("generate", "cannot stand beside a value")
	case c.Value == nil && c.Generate == nil && c.Message != nil:
		return invalid("message", "is about a new value, and there is none")
	}
	err := cmp.Or(
		checkText("description", c.Description, maxDescription),
		checkText("message", c.Message, maxMessage),
		checkMaxVersions(c.MaxVersions),
	)
	if err == nil && c.Tags != nil {
		err = checkTags(*c.Tags)
	}
	return err
}

// UpdateSecret changes a secret. A new value makes a new version; of the older
// ones as many are kept as the secret says.
func (v *Vault) UpdateSecret(ctx context.Context, by access.Caller, id string, c SecretChange) (s Secret, err error) {
	if err := c.validate(); err != nil {
		return Secret{}, err
	}
	made, err := c.Generate.make()
	if err != nil {
		return Secret{}, err
	}
	defer made.value.Wipe()
	if c.Generate != nil {
		c.Value = &made.value
	}
	err = v.do(ctx, by, record{action: access.UpdateSecret, resource: id}, func(o *op) error {
		row, err := o.secretAt(id, c.IfVersion)
		if err != nil {
			return err
		}
		if row, err = o.change(row, c); err != nil {
			return err
		}
		public := ""
		if c.Value != nil {
			if public, err = made.publicFor(row, *c.Value); err != nil {
				return err
			}
			o.record.about("value", "changed")
			c.Generate.record(o)
			if row, err = o.newVersion(row, content{value: *c.Value, public: public, message: c.Message}); err != nil {
				return err
			}
		}
		s = row.secret()
		s.PublicKey = public
		if err := o.prune(row); err != nil {
			return err
		}
		return secrets.Put(o.Tx, row)
	})
	return s, err
}

// secretAt returns a secret that the caller may touch and that has a version, 0
// for any, and says in the record which secret it is.
func (o *op) secretAt(id string, version uint64) (secretRow, error) {
	row, err := secrets.Get(o.Tx, store.Key(id))
	if err != nil {
		return secretRow{}, err
	}
	o.aboutSecret(row)
	if err := o.seesSecret(row); err != nil {
		return secretRow{}, err
	}
	if version != 0 && row.Version != version {
		return secretRow{}, &VersionError{Version: row.Version}
	}
	return row, nil
}

// seesSecret is sees for a secret. One that is shared with the caller is there,
// but not the caller's to touch.
func (o *op) seesSecret(r secretRow) error {
	if o.within(r.Namespace) == nil {
		return nil
	}
	for _, ns := range o.by.Namespaces {
		shared, err := shares.Has(o.Tx, store.Join(r.ID, ns))
		if err != nil {
			return err
		}
		if shared {
			return ErrDenied
		}
	}
	return ErrNotFound
}

// change changes everything but the value.
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
	if c.Tags != nil {
		row.Tags = sortedTags(*c.Tags)
		o.record.about("tags", "changed")
	}
	if c.KnownHosts != nil {
		if err := checkKnownHosts(row.Type, *c.KnownHosts); err != nil {
			return row, err
		}
		row.KnownHosts = *c.KnownHosts
		o.record.about("known_hosts", strings.Join(row.hosts(), " "))
	}
	if c.MaxVersions != 0 {
		row.MaxVersions = c.MaxVersions
		o.record.about("max_versions", strconv.Itoa(row.MaxVersions))
	}
	if c.Expires != nil {
		row.expire(*c.Expires, o.now)
		o.record.about("expires_at", expiryText(*c.Expires))
		if err := checkExpiry(*c.Expires, row.Honey, o.now); err != nil {
			return row, err
		}
		if err := o.tellChanged(row); err != nil {
			return row, err
		}
	}
	if row.Honey && row.Expires != 0 {
		return row, invalid("is_honey_token", "cannot be set on a secret that expires: a trap must not go quiet")
	}
	return row, nil
}
