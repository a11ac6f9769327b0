package vault_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A host is an agent with an attested daemon.
type host struct {
	t       testing.TB
	v       *vault.Vault
	agent   vault.Agent
	key     ed25519.PrivateKey // the agent's
	daemon  ed25519.PrivateKey // born with the daemon
	session string
	access  opaque.Bytes
}

// register makes an agent.
func register(t testing.TB, v *vault.Vault, namespace, id string) *host {
	t.Helper()
	h := &host{t: t, v: v, key: vaulttest.NewKey(t), daemon: vaulttest.NewKey(t)}
	var err error
	h.agent, err = v.CreateAgent(t.Context(), vaulttest.Admin, vault.NewAgent{AgentID: id, Namespace: namespace, Key: vaulttest.Public(h.key)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// enrol makes an agent, logs its daemon in and attests it.
func enrol(t testing.TB, v *vault.Vault, namespace, id string) *host {
	t.Helper()
	h := register(t, v, namespace, id)
	h.login()
	h.attest()
	return h
}

// login goes through the device authorisation.
func (h *host) login() {
	h.t.Helper()
	ctx := h.t.Context()
	d, err := h.v.AuthorizeDevice(ctx, vaulttest.Origin, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.v.ApproveDevice(ctx, vaulttest.Admin, vault.DeviceApproval{UserCode: d.UserCode, AgentID: h.agent.AgentID, Namespace: h.agent.Namespace}); err != nil {
		h.t.Fatal(err)
	}
	got, err := h.v.PollDevice(ctx, vaulttest.Origin, string(d.DeviceCode.Reveal()), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.access = got.AccessToken
}

// attest opens a session.
func (h *host) attest() {
	h.t.Helper()
	res, err := h.tryAttest("0000")
	if err != nil {
		h.t.Fatal(err)
	}
	h.session = res.SessionID
}

func (h *host) tryAttest(sha string) (vault.AttestResult, error) {
	by, err := h.v.AuthenticateDevice(h.t.Context(), h.access, vaulttest.Origin)
	if err != nil {
		return vault.AttestResult{}, err
	}
	return h.v.Attest(h.t.Context(), by, vault.AttestRequest{Key: vaulttest.Public(h.daemon), BinarySHA256: sha, Hostname: new("host-1")})
}

// sign returns the attestation of a request.
func (h *host) sign(method, path, body, tokenID string) *proof.Attestation {
	a := proof.Attestation{
		SessionID: h.session, TS: time.Now().Unix(), JTI: uuid.NewString(),
		BodySHA256: proof.BodyHash([]byte(body)), AuthTokenID: tokenID,
	}
	a.Signature = ed25519.Sign(h.daemon, a.Message(method, path))
	return &a
}

// A question is a discover request in the making.
type question struct {
	vault.DiscoverRequest
	att  *proof.Attestation
	body string
}

// ask prepares a discover request.
func (h *host) ask(project string, names ...string) question {
	ts, nonce := time.Now().Unix(), hex.EncodeToString(random(8))
	sig := ed25519.Sign(h.key, proof.AgentMessage(ts, nonce, h.agent.AgentID))
	body := uuid.NewString()
	return question{
		DiscoverRequest: vault.DiscoverRequest{
			AgentID: h.agent.AgentID, AuthProof: proof.EncodeSignature(sig), TS: &ts, Nonce: &nonce,
			Project: project, Names: names,
		},
		att: h.sign("POST", "/agent/discover", body, proof.AgentTokenID(h.agent.AgentID)), body: body,
	}
}

// send sends a discover request as the server would.
func (h *host) send(q question) (vault.DiscoverResult, error) {
	att, err := h.v.CheckAttestation(h.t.Context(), vaulttest.Origin, "POST", "/agent/discover", q.att)
	if err == nil {
		err = h.v.CheckBody(h.t.Context(), vaulttest.Origin, att, []byte(q.body))
	}
	if err != nil {
		return vault.DiscoverResult{}, err
	}
	q.Attested = att
	return h.v.Discover(h.t.Context(), vaulttest.Origin, q.DiscoverRequest)
}

// discover asks for names.
func (h *host) discover(project string, names ...string) (vault.DiscoverResult, error) {
	return h.send(h.ask(project, names...))
}

// rediscover asks for names, and for a new token.
func (h *host) rediscover(project string, names ...string) (vault.DiscoverResult, error) {
	q := h.ask(project, names...)
	q.Regenerate = true
	return h.send(q)
}

// approved asks for names, has an administrator approve, and asks again.
func (h *host) approved(project string, names ...string) vault.DiscoverResult {
	h.t.Helper()
	_, err := h.rediscover(project, names...)
	pending, ok := errors.AsType[*vault.PendingError](err)
	if !ok {
		h.t.Fatalf("got %v, want a PendingError", err)
	}
	if _, err := h.v.ApproveGrant(h.t.Context(), vaulttest.Admin, pending.GrantID, vault.Approval{}); err != nil {
		h.t.Fatal(err)
	}
	res, err := h.rediscover(project, names...)
	if err != nil {
		h.t.Fatal(err)
	}
	return res
}

// fetch asks for the values that a token opens.
func (h *host) fetch(project string, bearer []byte) (map[string]string, error) {
	res, err := h.fetchResult(project, bearer)
	values := map[string]string{}
	for name, value := range res.Values {
		values[name] = string(value.Reveal())
	}
	return values, err
}

func (h *host) fetchResult(project string, bearer []byte) (vault.FetchResult, error) {
	return h.v.FetchSecrets(h.t.Context(), vaulttest.Origin, vault.FetchRequest{
		Project: project, Bearer: opaque.New(bearer),
		Attestation: h.sign("GET", "/project/secrets/"+project, "", proof.AuthTokenID(string(bearer))),
	})
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// keep makes a secret.
func keep(t testing.TB, v *vault.Vault, namespace, path, value string) vault.Secret {
	t.Helper()
	s, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{
		Path: path, Type: vault.KeyValue, Value: opaque.New([]byte(value)), Namespace: namespace,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// actions returns the action and status of the newest n entries, newest first.
func actions(t *testing.T, v *vault.Vault, n int) []string {
	t.Helper()
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: n})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range rows {
		out = append(out, r.Action+" "+r.Status)
	}
	return out
}

// intact fails the test unless the audit trail verifies.
func intact(t *testing.T, v *vault.Vault) {
	t.Helper()
	r, err := v.VerifyAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Broken != nil {
		t.Errorf("audit trail: %v", r.Broken)
	}
}

// want fails the test unless err is target.
func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}

// wantInvalid fails the test unless err says that field is wrong.
func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	if e, ok := errors.AsType[*vault.InvalidError](err); !ok || e.Field != field {
		t.Fatalf("got %v, want an InvalidError about %q", err, field)
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// storeFor returns a new store.
func storeFor(t *testing.T) *store.DB {
	t.Helper()
	return storetest.New(t)
}
