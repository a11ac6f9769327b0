package vault

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

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
