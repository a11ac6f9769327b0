package vault_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// generate makes a secret with a generated value and reads it.
func generate(t *testing.T, v *vault.Vault, path string, g vault.Generator) (vault.Secret, string) {
	t.Helper()
	s, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{Path: path, Type: vault.KeyValue, Generate: &g})
	if err != nil {
		t.Fatal(err)
	}
	text, err := value(t, v, s.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, text
}

func TestGenerate(t *testing.T) {
	v := vaulttest.New(t)
	for name, c := range map[string]struct {
		g    vault.Generator
		good func(string) bool
	}{
		"password":       {vault.Generator{Type: "password"}, func(s string) bool { return len(s) == 32 }},
		"long password":  {vault.Generator{Type: "password", Length: 1024}, func(s string) bool { return len(s) == 1024 }},
		"short password": {vault.Generator{Type: "password", Length: 8}, func(s string) bool { return len(s) == 8 }},
		"hex":            {vault.Generator{Type: "hex", Length: 16}, func(s string) bool { b, err := hex.DecodeString(s); return err == nil && len(b) == 16 }},
		"base64":         {vault.Generator{Type: "base64", Length: 33}, func(s string) bool { b, err := base64.StdEncoding.DecodeString(s); return err == nil && len(b) == 33 }},
		"uuid": {vault.Generator{Type: "uuid"}, func(s string) bool {
			id, err := uuid.Parse(s)
			return err == nil && id.Version() == 4 && id.String() == s
		}},
	} {
		_, one := generate(t, v, strings.ReplaceAll(name, " ", "-")+"/1", c.g)
		_, two := generate(t, v, strings.ReplaceAll(name, " ", "-")+"/2", c.g)
		if !c.good(one) || !c.good(two) || one == two {
			t.Errorf("%s: %q, %q", name, one, two)
		}
	}
	if n := count(t, v, "create_secret", "uuid/1"); n != 1 {
		t.Errorf("recorded %d times", n)
	}
}

// Every character of the alphabet comes, and none much more often than others.
func TestPasswordsAreUnbiased(t *testing.T) {
	v := vaulttest.New(t)
	seen := map[rune]int{}
	const rounds, length = 64, 1024
	for i := range rounds {
		_, text := generate(t, v, "p/"+strings.Repeat("x", i+1), vault.Generator{Type: "password", Length: length})
		for _, r := range text {
			seen[r]++
		}
	}
	// 70 characters; the standard deviation of each count is about 30.
	const mean = rounds * length / 70
	if len(seen) != 70 {
		t.Errorf("%d characters", len(seen))
	}
	for r, n := range seen {
		if n < mean-250 || n > mean+250 {
			t.Errorf("%q came %d times, want about %d", r, n, mean)
		}
	}
}

func TestGenerateSSHKey(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s, text := generate(t, v, "deploy/key", vault.Generator{Type: "ed25519-ssh"})
	signer, err := ssh.ParsePrivateKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "-----BEGIN OPENSSH PRIVATE KEY-----\n") {
		t.Error("not as OpenSSH writes it")
	}
	public, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(s.PublicKey))
	if err != nil || comment != "deploy/key" || string(public.Marshal()) != string(signer.PublicKey().Marshal()) {
		t.Errorf("public key %q of %v: %v", s.PublicKey, signer.PublicKey(), err)
	}

	// The public key goes with its version.
	change(t, v, s.ID, "typed by hand")
	read, _, err := v.ReadSecret(ctx, admin, s.ID)
	if err != nil || read.PublicKey != "" {
		t.Errorf("got %+v, %v", read, err)
	}
	if read, _, err = v.ReadSecretVersion(ctx, admin, s.ID, 1); err != nil || read.PublicKey != s.PublicKey {
		t.Errorf("got %+v, %v", read, err)
	}
	back, err := v.RollbackSecret(ctx, admin, s.ID, vault.Rollback{Version: 1})
	if err != nil || back.PublicKey != s.PublicKey {
		t.Errorf("got %+v, %v", back, err)
	}
	next, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Generate: &vault.Generator{Type: "ed25519-ssh"}})
	if err != nil || next.PublicKey == "" || next.PublicKey == s.PublicKey || next.Version != 4 {
		t.Errorf("got %+v, %v", next, err)
	}
}

func TestGenerateRefuses(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "", "key", "v")
	config := keepJSON(t, v, "config", `{}`)
	b := opaque.New([]byte("x"))
	for name, c := range map[string]struct {
		id    string
		in    vault.SecretChange
		field string
	}{
		"no type":     {s.ID, vault.SecretChange{Generate: &vault.Generator{}}, "generate.type"},
		"other type":  {s.ID, vault.SecretChange{Generate: &vault.Generator{Type: "rsa"}}, "generate.type"},
		"too short":   {s.ID, vault.SecretChange{Generate: &vault.Generator{Type: "hex", Length: 7}}, "generate.length"},
		"too long":    {s.ID, vault.SecretChange{Generate: &vault.Generator{Type: "password", Length: 1025}}, "generate.length"},
		"negative":    {s.ID, vault.SecretChange{Generate: &vault.Generator{Type: "hex", Length: -1}}, "generate.length"},
		"long uuid":   {s.ID, vault.SecretChange{Generate: &vault.Generator{Type: "uuid", Length: 16}}, "generate.length"},
		"value too":   {s.ID, vault.SecretChange{Generate: &vault.Generator{Type: "uuid"}, Value: &b}, "generate"},
		"JSON_CONFIG": {config.ID, vault.SecretChange{Generate: &vault.Generator{Type: "uuid"}}, "generate"},
		"no value":    {s.ID, vault.SecretChange{Message: new("m")}, "message"},
	} {
		_, err := v.UpdateSecret(ctx, admin, c.id, c.in)
		if err == nil {
			t.Errorf("%s: it works", name)
		}
		wantInvalid(t, err, c.field)
	}
	wantValue(t, v, s.ID, 0, "v")
	wantValue(t, v, config.ID, 0, "{}")
}
