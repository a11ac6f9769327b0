package server

import (
	"context"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func (s *Server) listSecrets(ctx context.Context, q *request) ([]api.Secret, error) {
	filter, err := q.secretFilter()
	if err != nil {
		return nil, err
	}
	return pagedBy(s, q, 0,
		func() ([]vault.Secret, error) { return s.vault.Secrets(ctx, q.By, filter) },
		func(p vault.Page) ([]vault.Secret, string, error) { return s.vault.SecretsPage(ctx, q.By, filter, p) },
		wireSecret)
}

// secretFilter reads what the query of a list of secrets may say.
func (q *request) secretFilter() (f vault.SecretFilter, err error) {
	if f.Namespace, err = q.namespace(); err != nil {
		return f, err
	}
	var kind string
	for name, into := range map[string]*string{"prefix": &f.Prefix, "tag": &f.Tag, "type": &kind} {
		if *into, err = q.query(name); err != nil {
			return f, err
		}
	}
	if f.Type = vault.SecretType(kind); f.Type != "" {
		if err := f.Type.Check("type"); err != nil {
			return f, err
		}
	}
	if f.Deleted, err = q.flag("deleted"); err != nil {
		return f, err
	}
	if f.Shared, err = q.flag("shared"); err == nil && f.Shared && f.Deleted {
		err = &vault.InvalidError{Field: "shared", Reason: "and deleted are lists of their own: ask for one of them"}
	}
	return f, err
}

func (s *Server) createSecret(ctx context.Context, c call[api.CreateSecret]) (api.CreatedSecret, error) {
	if c.In.Value.IsZero() == (c.In.Generate == nil) {
		return api.CreatedSecret{}, errValueOrGenerate
	}
	value := opaque.New(c.In.Value.Reveal())
	defer value.Wipe()
	n := vault.NewSecret{
		Path: c.In.KeyPath, Type: vault.SecretType(c.In.SecretType), Value: value, Generate: generator(c.In.Generate),
		Description: c.In.Description, Message: c.In.Message, Namespace: c.In.Namespace, Honey: c.In.IsHoneyToken,
		Tags: c.In.Tags, KnownHosts: c.In.KnownHosts,
	}
	if c.In.ExpiresAt != nil {
		n.Expires = c.In.ExpiresAt.Time
	}
	var err error
	if n.MaxVersions, err = versionsKept(c.In.MaxVersions); err != nil {
		return api.CreatedSecret{}, err
	}
	sec, err := s.vault.CreateSecret(ctx, c.By, n)
	return api.CreatedSecret{ID: sec.ID, KeyPath: sec.Path, Namespace: sec.Namespace, PublicKey: sec.PublicKey}, err
}

// errValueOrGenerate: a new secret has one of them.
var errValueOrGenerate = &vault.InvalidError{Field: "value", Reason: "must be there, or generate in its place"}

// generator converts what a request says of a value to be made.
func generator(g *api.Generate) *vault.Generator {
	if g == nil {
		return nil
	}
	// What is no length stays none: zero would be the default.
	length := int(min(max(g.Length, -1), 1<<20))
	return &vault.Generator{Type: g.Type, Length: length}
}

// versionsKept reads how many versions to keep; 0 was not said.
func versionsKept(n int64) (int, error) {
	if n < 0 || n > 1<<20 {
		return 0, &vault.InvalidError{Field: "max_versions", Reason: "must be 1 to 100"}
	}
	return int(n), nil
}

func (s *Server) readSecret(ctx context.Context, q *request) (disclosure, error) {
	version, err := q.number("version")
	if err != nil {
		return disclosure{}, err
	}
	sec, plain, err := s.vault.ReadSecretVersion(ctx, q.By, q.PathValue("id"), version)
	value := api.NewValue(plain.Reveal())
	return disclose(api.SecretDetail{
		ID: sec.ID, KeyPath: sec.Path, SecretType: string(sec.Type), Value: value, Description: sec.Description,
		Namespace: sec.Namespace, IsHoneyToken: sec.Honey, CreatedAt: api.NewTime(sec.Created), UpdatedAt: api.NewTime(sec.Updated),
		Version: int64(sec.Version), MaxVersions: int64(sec.MaxVersions), ExpiresAt: wireTime(sec.Expires),
		Expired: sec.Expired(time.Now()), Tags: sec.Tags, PublicKey: sec.PublicKey,
		KnownHosts: sec.KnownHosts,
	}, value), err
}

func (s *Server) updateSecret(ctx context.Context, c call[api.UpdateSecret]) (api.Updated, error) {
	change := vault.SecretChange{
		Generate: generator(c.In.Generate), Message: c.In.Message, Description: c.In.Description, Honey: c.In.IsHoneyToken,
		Tags: c.In.Tags, KnownHosts: c.In.KnownHosts,
	}
	if !c.In.Value.IsZero() {
		value := opaque.New(c.In.Value.Reveal())
		defer value.Wipe()
		change.Value = &value
	}
	var err error
	if change.IfVersion, err = ifVersion(c.In.IfVersion); err != nil {
		return api.Updated{}, err
	}
	if c.In.MaxVersions != nil {
		if *c.In.MaxVersions == 0 {
			return api.Updated{}, &vault.InvalidError{Field: "max_versions", Reason: "must be 1 to 100"}
		}
		if change.MaxVersions, err = versionsKept(*c.In.MaxVersions); err != nil {
			return api.Updated{}, err
		}
	}
	if change.Expires, err = newExpiry(c.In.ExpiresAt); err != nil {
		return api.Updated{}, err
	}
	sec, err := s.vault.UpdateSecret(ctx, c.By, c.PathValue("id"), change)
	return api.Updated{Updated: true, ID: sec.ID, Version: int64(sec.Version), PublicKey: sec.PublicKey}, err
}

// newExpiry reads when a secret is to expire: the zero time for the empty text,
// nil where nothing was said.
func newExpiry(text *string) (*time.Time, error) {
	if text == nil {
		return nil, nil
	}
	if *text == "" {
		return new(time.Time{}), nil
	}
	at, err := api.ParseTime(*text)
	if err != nil {
		return nil, &vault.InvalidError{Field: "expires_at", Reason: "must be a time, or empty for never"}
	}
	return &at.Time, nil
}

// ifVersion reads the version that a change was made for; 0 is any.
func ifVersion(n *int64) (uint64, error) {
	if n == nil {
		return 0, nil
	}
	if *n < 1 {
		return 0, &vault.InvalidError{Field: "if_version", Reason: "must be a version"}
	}
	return uint64(*n), nil
}

func wireSecret(s vault.Secret) api.Secret {
	return api.Secret{
		ID: s.ID, KeyPath: s.Path, SecretType: string(s.Type), Description: s.Description,
		Namespace: s.Namespace, OwnerNamespace: s.Owner, IsHoneyToken: s.Honey, CreatedAt: api.NewTime(s.Created),
		Version: int64(s.Version), ExpiresAt: wireTime(s.Expires), Expired: s.Expired(time.Now()), Tags: s.Tags,
		DeletedAt: wireTime(s.Deleted), DestroyedAt: wireTime(s.Destroyed), KnownHosts: s.KnownHosts,
	}
}
