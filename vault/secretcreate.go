package vault

import (
	"bytes"
	"cmp"
	"context"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/jsontext"
	"github.com/cortex-auth/cortex/vault/opaque"
)

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
