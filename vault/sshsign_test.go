package vault_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/sshauth/sshauthtest"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A keyed is an agent that may log in to a host with a key.
type keyed struct {
	*host
	secret vault.Secret
	key    ssh.PublicKey
	at     sshauthtest.Host
	bearer []byte
}

// readySSH returns one with a key that the vault made.
func readySSH(t *testing.T) (*vault.Vault, keyed) {
	t.Helper()
	v := vaulttest.New(t)
	return v, readySSHOn(t, v)
}

func readySSHOn(t *testing.T, v *vault.Vault) keyed {
	t.Helper()
	at := sshauthtest.NewHost(t)
	s, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{
		Path: "deploy_key", Type: vault.SSHKey, Generate: &vault.Generator{Type: vault.GenerateSSH}, KnownHosts: []string{at.Fingerprint() + " git.example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return approvedSSH(t, v, s, at)
}

// approvedSSH returns an agent with a token for a key.
func approvedSSH(t *testing.T, v *vault.Vault, s vault.Secret, at sshauthtest.Host) keyed {
	t.Helper()
	h := enrol(t, v, "", "bot")
	k := keyed{host: h, secret: s, key: publicKey(t, s.PublicKey), at: at}
	k.bearer = h.approved("app", "DEPLOY_KEY").Token.Reveal()
	return k
}

func publicKey(t *testing.T, line string) ssh.PublicKey {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// login returns what the daemon asks for when a client logs in.
func (k keyed) login() vault.SSHRequest {
	const body = "the body"
	return vault.SSHRequest{
		Project: "app", Bearer: opaque.New(slices.Clone(k.bearer)), Body: []byte(body),
		Attestation: k.sign("POST", "/project/ssh-signatures/app", body, proof.AuthTokenID(string(k.bearer))),
		Variable:    "DEPLOY_KEY", HostKey: k.at.Key(), Session: k.at.Session, HostSignature: k.at.Signature,
		Data: k.at.Login(k.key).Bytes(),
	}
}

// try asks for a signature and verifies what comes.
func (k keyed) try(r vault.SSHRequest) error {
	k.t.Helper()
	signature, err := k.v.SignSSH(k.t.Context(), vaulttest.Origin, r)
	if err != nil {
		if signature != nil {
			k.t.Errorf("a signature came along with %v", err)
		}
		return err
	}
	var sig ssh.Signature
	if err := ssh.Unmarshal(signature, &sig); err != nil {
		k.t.Fatal(err)
	}
	if err := k.key.Verify(r.Data, &sig); err != nil {
		k.t.Error(err)
	}
	return nil
}

func TestSignSSH(t *testing.T) {
	v, k := readySSH(t)
	if !strings.HasSuffix(k.secret.PublicKey, " deploy_key") {
		t.Errorf("the public half is %q", k.secret.PublicKey)
	}
	if err := k.try(k.login()); err != nil {
		t.Fatal(err)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := rows[0]
	var said []string
	for _, about := range r.Resources {
		said = append(said, about.Path+": "+about.Decision)
	}
	want := []string{"deploy_key: allowed", k.at.Fingerprint() + ": host", "git: user"}
	if r.Action != "ssh_sign" || r.Status != "success" || *r.AgentID != "bot" || *r.Project != "app" || *r.Resource != "deploy_key" || !slices.Equal(said, want) {
		t.Errorf("recorded %+v, about %q", r, said)
	}
	intact(t, v)
}

// Whatever a project may know of a key comes with its values, and the key does not.
func TestFetchSSHKey(t *testing.T) {
	v, k := readySSH(t)
	got, err := k.fetchResult("app", k.bearer)
	if err != nil {
		t.Fatal(err)
	}
	public := got.SSHKeys["DEPLOY_KEY"]
	if len(got.Values) != 0 || len(got.Withheld) != 0 || public.Key != k.secret.PublicKey || !slices.Equal(public.Hosts, []string{k.at.Fingerprint()}) {
		t.Errorf("got %+v", got)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
	if err != nil || rows[0].Resources[0].Decision != "allowed:public key" {
		t.Errorf("recorded %+v, %v", rows, err)
	}
}

// Keys that were made elsewhere sign too, in whichever form ssh-keygen wrote them.
func TestSignWithOtherKeys(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]any{"ed25519": vaulttest.NewKey(t), "ecdsa": ec, "rsa": r} {
		t.Run(name, func(t *testing.T) {
			v, at := vaulttest.New(t), sshauthtest.NewHost(t)
			block, err := ssh.MarshalPrivateKey(key, "")
			if err != nil {
				t.Fatal(err)
			}
			s, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{
				Path: "deploy_key", Type: vault.SSHKey, Value: opaque.New(pem.EncodeToMemory(block)), KnownHosts: []string{at.Fingerprint()},
			})
			if err != nil {
				t.Fatal(err)
			}
			k := approvedSSH(t, v, s, at)
			if err := k.try(k.login()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSignSSHRefuses(t *testing.T) {
	v, k := readySSH(t)
	keep(t, v, "", "token", "no key")
	k.bearer = k.approved("app", "DEPLOY_KEY", "TOKEN").Token.Reveal()
	other, stranger := sshauthtest.NewSession(t, k.at.Signer), sshauthtest.NewHost(t)
	for name, c := range map[string]struct {
		change func(*vault.SSHRequest)
		status string
	}{
		"another variable":    {func(r *vault.SSHRequest) { r.Variable = "OTHER" }, "refused:invalid"},
		"no key":              {func(r *vault.SSHRequest) { r.Variable = "TOKEN" }, "refused:invalid"},
		"another session":     {func(r *vault.SSHRequest) { r.Session, r.HostSignature = other.Session, other.Signature }, "refused:invalid"},
		"another's signature": {func(r *vault.SSHRequest) { r.HostSignature = stranger.Signature }, "refused:invalid"},
		"a host not listed":   {func(r *vault.SSHRequest) { k.at = stranger; *r = k.login() }, "denied"},
		"something else":      {func(r *vault.SSHRequest) { r.Data = []byte("SSHSIG") }, "refused:invalid"},
		"another key":         {func(r *vault.SSHRequest) { r.Data = k.at.Login(stranger.Signer.PublicKey()).Bytes() }, "refused:invalid"},
		"no token":            {func(r *vault.SSHRequest) { r.Bearer = opaque.Bytes{} }, ""},
		"another body":        {func(r *vault.SSHRequest) { r.Body = []byte("another") }, ""},
		"no attestation":      {func(r *vault.SSHRequest) { r.Attestation = nil }, ""},
		"a caller that is not signed for": {func(r *vault.SSHRequest) {
			r.Caller = &vault.CallerProof{Digest: proof.CallerDigest(func(string) string { return "x" }), Signature: strings.Repeat("A", 86)}
		}, ""},
		"a fetch's": {func(r *vault.SSHRequest) {
			r.Attestation = k.sign("GET", "/project/secrets/app", "the body", proof.AuthTokenID(string(k.bearer)))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			was := k.at
			defer func() { k.at = was }()
			r := k.login()
			c.change(&r)
			err := k.try(r)
			switch {
			case err == nil:
				t.Error("signed")
			case c.status == "":
				want(t, err, vault.ErrUnauthorized)
			case actions(t, v, 1)[0] != "ssh_sign "+c.status:
				t.Errorf("%v, recorded as %q", err, actions(t, v, 1)[0])
			}
		})
	}
	r := k.login()
	if err := k.try(r); err != nil {
		t.Fatal(err)
	}
	r.Bearer = opaque.New(slices.Clone(k.bearer))
	want(t, k.try(r), vault.ErrReplay)
}

// Whatever takes a key away does so at once.
func TestSSHKeyWithdrawn(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	for name, c := range map[string]struct {
		withdraw func(*vault.Vault, keyed) error
		want     error
	}{
		"the host": {func(v *vault.Vault, k keyed) error {
			_, err := v.UpdateSecret(ctx, admin, k.secret.ID, vault.SecretChange{KnownHosts: &[]string{}})
			return err
		}, vault.ErrDenied},
		"the secret": {func(v *vault.Vault, k keyed) error { return v.DeleteSecret(ctx, admin, k.secret.ID) }, vault.ErrDenied},
		"the agent": {func(v *vault.Vault, _ keyed) error {
			_, _, err := v.Freeze(ctx, admin, vault.FreezeTarget{Kind: vault.FreezeAgent, Name: "bot"}, nil)
			return err
		}, vault.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			v, k := readySSH(t)
			if err := k.try(k.login()); err != nil {
				t.Fatal(err)
			}
			if err := c.withdraw(v, k); err != nil {
				t.Fatal(err)
			}
			want(t, k.try(k.login()), c.want)
		})
	}
}

// A trap that is a key is one for who has a signature made, too.
func TestSignWithHoneyKey(t *testing.T) {
	v, k := readySSH(t)
	if _, err := v.UpdateSecret(t.Context(), vaulttest.Admin, k.secret.ID, vault.SecretChange{Honey: new(true)}); err != nil {
		t.Fatal(err)
	}
	want(t, k.try(k.login()), vault.ErrUnauthorized)
	if got := actions(t, v, 2); !slices.Contains(got, "honey_token_access alarm") {
		t.Errorf("recorded %q", got)
	}
}

func TestSSHKeyInvalid(t *testing.T) {
	v := vaulttest.New(t)
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(vaulttest.NewKey(t), "", []byte("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ssh.MarshalPrivateKey(short, "")
	if err != nil {
		t.Fatal(err)
	}
	line := string(ssh.MarshalAuthorizedKey(sshauthtest.NewHost(t).Signer.PublicKey()))
	for name, c := range map[string]struct {
		secret vault.NewSecret
		field  string
	}{
		"no key":          {vault.NewSecret{Value: opaque.New([]byte("x"))}, "value"},
		"a public key":    {vault.NewSecret{Value: opaque.New([]byte(line))}, "value"},
		"a passphrase":    {vault.NewSecret{Value: opaque.New(pem.EncodeToMemory(locked))}, "value"},
		"a small RSA key": {vault.NewSecret{Value: opaque.New(pem.EncodeToMemory(small))}, "value"},
		"a password":      {vault.NewSecret{Generate: &vault.Generator{Type: "password"}}, "value"},
		"no host":         {vault.NewSecret{Generate: &vault.Generator{Type: vault.GenerateSSH}, KnownHosts: []string{"git.example.com"}}, "known_hosts[0]"},
		"hosts of a text": {vault.NewSecret{Type: vault.KeyValue, Value: opaque.New([]byte("x")), KnownHosts: []string{"x"}}, "known_hosts"},
		"very many hosts": {vault.NewSecret{Generate: &vault.Generator{Type: vault.GenerateSSH}, KnownHosts: make([]string, 65)}, "known_hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			c.secret.Path = "key"
			if c.secret.Type == "" {
				c.secret.Type = vault.SSHKey
			}
			_, err := v.CreateSecret(t.Context(), vaulttest.Admin, c.secret)
			wantInvalid(t, err, c.field)
		})
	}
}

// No template has a key in it.
func TestTemplateWithSSHKey(t *testing.T) {
	v, k := readySSH(t)
	if _, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{
		Path: "config", Type: vault.TemplateConfig, Value: opaque.New([]byte("{{deploy_key}}")),
	}); err != nil {
		t.Fatal(err)
	}
	_, err := v.FetchConfig(t.Context(), vaulttest.Origin, vault.ConfigRequest{
		Project: "app", Template: "config", Bearer: opaque.New(k.bearer),
		Attestation: k.sign("GET", "/project/config/app/config", "", proof.AuthTokenID(string(k.bearer))),
	})
	if err == nil || !strings.Contains(err.Error(), `uses "deploy_key", which is an SSH key`) {
		t.Errorf("got %v", err)
	}
}

// The versions of a secret tell the public half of each.
func TestSSHKeyVersions(t *testing.T) {
	v, k := readySSH(t)
	next, err := v.UpdateSecret(t.Context(), vaulttest.Admin, k.secret.ID, vault.SecretChange{Generate: &vault.Generator{Type: vault.GenerateSSH}})
	if err != nil || next.PublicKey == k.secret.PublicKey || next.PublicKey == "" {
		t.Fatalf("got %+v, %v", next, err)
	}
	all, err := v.SecretVersions(t.Context(), vaulttest.Admin, k.secret.ID)
	if err != nil || len(all) != 2 || all[0].PublicKey != next.PublicKey || all[1].PublicKey != k.secret.PublicKey {
		t.Errorf("got %+v, %v", all, err)
	}
	k.key = publicKey(t, next.PublicKey)
	if err := k.try(k.login()); err != nil {
		t.Error(err)
	}
}
