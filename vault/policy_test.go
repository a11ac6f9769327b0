package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A policy that somebody wrote into the file, or changed there, is not one that
// says nothing: until it is gone nobody gets anything.
func TestCorruptPolicyDenies(t *testing.T) {
	v, db, _ := newTestVault(t)
	ctx := t.Context()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.CreateAgent(ctx, testAdmin, NewAgent{AgentID: "bot", Key: proof.EncodeKey(pub)}); err != nil {
		t.Fatal(err)
	}
	discover := func() (DiscoverResult, error) {
		ts, nonce := time.Now().Unix(), rand.Text()
		return v.Discover(ctx, access.Origin{}, DiscoverRequest{
			AgentID: "bot", Project: "app", Names: []string{"A"}, TS: &ts, Nonce: &nonce, Regenerate: true,
			AuthProof: proof.EncodeSignature(ed25519.Sign(key, proof.AgentMessage(ts, nonce, "bot"))),
		})
	}
	_, err = discover()
	pending, ok := errors.AsType[*PendingError](err)
	if !ok {
		t.Fatal(err)
	}
	if _, err := v.ApproveGrant(ctx, testAdmin, pending.GrantID, Approval{}); err != nil {
		t.Fatal(err)
	}
	got, err := discover()
	if err != nil {
		t.Fatal(err)
	}
	fetch := func() (FetchResult, error) {
		return v.FetchSecrets(ctx, access.Origin{}, FetchRequest{Project: "app", Bearer: opaque.New(bytes.Clone(got.Token.Reveal()))})
	}
	if res, err := fetch(); err != nil || len(res.Values) != 1 {
		t.Fatalf("%v, %v", res.Values, err)
	}
	row := policyRow{ID: "p", Name: "p", Agents: "*", Denied: []string{"b"}}
	db.SetMAC(foreignMAC(t))
	edit(t, db, func(tx *store.Tx) error { return policies.Put(tx, row) })
	db.SetMAC(v.keys.row)
	if res, err := fetch(); err == nil || len(res.Values) != 0 {
		t.Errorf("a fetch gives %v, %v", res.Values, err)
	}
	if res, err := discover(); err == nil || res.Token.Len() != 0 {
		t.Errorf("a discovery gives %+v, %v", res, err)
	}
}

// foreignMAC is the row key of somebody else.
func foreignMAC(t *testing.T) *keyring.MAC {
	t.Helper()
	key, err := locked.NewBuffer(32)
	if err != nil {
		t.Fatal(err)
	}
	rand.Read(key.Bytes())
	m, err := keyring.NewMAC(key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Destroy)
	return m
}
