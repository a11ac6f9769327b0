package vault

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/sshauth"
)

// An SSHPublic is what a project may know of a key.
type SSHPublic struct {
	// Key is the public half, in the form of authorized_keys.
	Key string
	// Hosts are the fingerprints of the keys of the hosts it logs in to; sorted.
	Hosts []string
}

// sshPublic returns what may be known of a key.
func (o *op) sshPublic(s secretRow) (SSHPublic, error) {
	row, err := secretValues.Get(o.Tx, valueKey(s.ID, s.Version))
	return SSHPublic{row.Public, s.hosts()}, err
}

// An SSHRequest asks for the signature by which an SSH client logs in.
type SSHRequest struct {
	// Project is the name as in the path of the request.
	Project string
	// Bearer is the project token, or its JWT.
	Bearer opaque.Bytes
	// Attestation is the daemon's signature over POST
	// /project/ssh-signatures/<Project> with Body; nil if there was none.
	Attestation *proof.Attestation
	Body        []byte
	// Caller and Command are as in [FetchRequest].
	Caller  *CallerProof
	Command *pinned.Command

	// Variable is the one that the token has the key as.
	Variable string
	// HostKey is the host's, and HostSignature its signature of Session, the id of
	// the SSH session: see [sshauth.Bind].
	HostKey, Session, HostSignature []byte
	// Data is what to sign: see [sshauth.ParseRequest].
	Data []byte
}

// fetch is the part of r that is as in every request with a project token.
func (r SSHRequest) fetch() FetchRequest {
	return FetchRequest{
		Project: r.Project, Bearer: r.Bearer, Attestation: r.Attestation, Caller: r.Caller, Command: r.Command,
		path: "/project/ssh-signatures/" + r.Project, Body: append([]byte{}, r.Body...),
	}
}

// A signing is an authorised request for a signature, and what it comes to.
type signing struct {
	fetch
	path      string // the secret's
	signature []byte
}

// SignSSH signs a request to log in with an SSH_KEY that a project token opens, in
// the form that SSH sends. The key stays here: what leaves is a signature that is
// good for one session with one host, which has shown its key, and that key is one of
// those listed for the secret. It leaves only after the audit entry that names secret,
// host and user is durable.
//
// It returns [ErrDenied] if secret, policy or host are against it, an [*InvalidError]
// for what is no such request or no key that the token opens, and otherwise what [Vault.FetchSecrets] does, for a honey secret too.
func (v *Vault) SignSSH(ctx context.Context, from access.Origin, r SSHRequest) ([]byte, error) {
	k, release, err := v.use()
	if err != nil {
		return nil, err
	}
	defer release()
	var s signing
	authorize := func(o *op) (err error) {
		s, err = o.authorizeSSH(v.cfg.RequireAttestation, r)
		return err
	}
	err = v.letOut(ctx, k, from, &s.fetch, authorize, func() record {
		return record{action: access.SignSSH, project: r.Project, resource: cmp.Or(s.path, r.Project)}
	})
	if err != nil {
		return nil, err
	}
	return s.signature, nil
}

// authorizeSSH checks everything and signs.
func (o *op) authorizeSSH(attest bool, r SSHRequest) (s signing, err error) {
	if s.fetch, err = o.identify(attest, r.fetch()); err != nil {
		return signing{fetch: fetch{token: s.token}}, err
	}
	if s.refused() {
		return s, nil
	}
	rs, err := o.rulesFor(s.agent)
	if err != nil {
		return s, err
	}
	at := slices.IndexFunc(s.token.Mappings, func(m mapping) bool { return m.Env == r.Variable })
	if at < 0 {
		return s, invalid("name", "is no variable that the token opens")
	}
	m := s.token.Mappings[at]
	s.path = m.Path
	d, err := o.decide(s.token, m, rs)
	if err != nil {
		return s, err
	}
	s.resources = []audit.Resource{{Path: m.Path, Decision: d.text}}
	switch {
	case !d.allows():
		return s, ErrDenied
	case d.secret.Honey:
		s.honey = []string{d.path}
		return s, nil
	case d.secret.Type != SSHKey:
		return s, invalid("name", "is no SSH key")
	}
	return s, o.signFor(&s, d.secret, r)
}

// signFor signs for a host that a key is for.
func (o *op) signFor(s *signing, secret secretRow, r SSHRequest) error {
	binding, err := sshauth.Bind(r.HostKey, r.Session, r.HostSignature)
	if err != nil {
		return invalid("host_key", "is %v", err)
	}
	request, err := sshauth.ParseRequest(r.Data)
	if err != nil {
		return invalid("request", "is %v", err)
	}
	if !slices.Contains(secret.hosts(), binding.Host) {
		s.resources = append(s.resources, audit.Resource{Path: binding.Host, Decision: "host not listed"})
		return ErrDenied
	}
	s.resources = append(s.resources,
		audit.Resource{Path: binding.Host, Decision: "host"}, audit.Resource{Path: request.User, Decision: "user"})
	value, err := o.openValue(secret)
	if err != nil {
		return err
	}
	defer value.Wipe()
	s.signature, err = signSSH(value, binding, request, r.Data)
	return err
}

// signSSH signs a request with the key in a value.
func signSSH(value opaque.Bytes, b sshauth.Binding, r sshauth.Request, data []byte) ([]byte, error) {
	key, err := openSSHKey(value)
	if err != nil {
		return nil, fmt.Errorf("reading SSH key: value %w", err)
	}
	defer key.destroy()
	public, err := key.public()
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	if err := r.Check(b, public); err != nil {
		return nil, invalid("request", "is %v", err)
	}
	return key.sign(data, r.Algorithm)
}
