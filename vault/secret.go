package vault

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
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
