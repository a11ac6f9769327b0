package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// What a person looks at does not change under their eyes: a request for more
// is another request.
func TestWaitingRequestIsImmutable(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	keep(t, v, "", "weather_key", "harmless")
	keep(t, v, "", "root_password", "crown jewels")
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "WEATHER_KEY")
	seen := wantPending(t, err, "WEATHER_KEY")
	_, err = h.discover("app", "WEATHER_KEY", "ROOT_PASSWORD")
	more := wantPending(t, err, "ROOT_PASSWORD", "WEATHER_KEY")
	if more.GrantID == seen.GrantID {
		t.Fatal("a request grew after somebody may have looked at it")
	}
	_, err = h.discover("app", "ROOT_PASSWORD", "WEATHER_KEY")
	if again := wantPending(t, err, "ROOT_PASSWORD", "WEATHER_KEY"); again.GrantID != more.GrantID {
		t.Error("the same request was made twice")
	}
	if _, err := v.ApproveGrant(ctx, admin, seen.GrantID, vault.Approval{}); err != nil {
		t.Fatal(err)
	}
	res, err := h.discover("app", "WEATHER_KEY")
	if err != nil {
		t.Fatal(err)
	}
	if values, err := h.fetch("app", res.Token.Reveal()); err != nil || len(values) != 1 {
		t.Errorf("got %v, %v", values, err)
	}
	_, err = h.rediscover("app", "WEATHER_KEY", "ROOT_PASSWORD")
	wantPending(t, err, "ROOT_PASSWORD", "WEATHER_KEY")
}

// Approving the larger request settles the smaller one.
func TestApprovalSettlesSmallerRequests(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "a", "1")
	keep(t, v, "", "b", "2")
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "A")
	wantPending(t, err, "A")
	_, err = h.discover("app", "A", "B")
	p := wantPending(t, err, "A", "B")
	if _, err := v.ApproveGrant(t.Context(), vaulttest.Admin, p.GrantID, vault.Approval{}); err != nil {
		t.Fatal(err)
	}
	all, err := v.PendingGrants(t.Context(), vaulttest.Admin)
	if err != nil || len(all) != 1 || all[0].ID != p.GrantID {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestOpenRequestsAreBounded(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "a", "1")
	h := enrol(t, v, "", "bot")
	for i := range 32 {
		_, err := h.discover(fmt.Sprintf("app%d", i), "A")
		wantPending(t, err, "A")
	}
	_, err := h.discover("one-more", "A")
	want(t, err, vault.ErrTooMany)
}

// A grant that is made anew is another grant: tokens from before stay without.
func TestGrantMadeAnew(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, s, bearer := ready(t)
	all, err := v.ProjectGrants(ctx, admin, "", "app")
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v", all, err)
	}
	if err := v.DeleteProjectGrant(ctx, admin, "app", all[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID}); err != nil {
		t.Fatal(err)
	}
	res, err := h.fetchResult("app", bearer)
	if err != nil || len(res.Values) != 0 {
		t.Errorf("%d values, %v", len(res.Values), err)
	}
}

// A denial ends a token that still opens what is denied.
func TestDenialEndsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, h, bearer, p := ranOut(t)
		if err := v.DenyGrant(t.Context(), vaulttest.Admin, p.GrantID); err != nil {
			t.Fatal(err)
		}
		_, err := h.fetch("app", bearer)
		want(t, err, vault.ErrTokenRevoked)
	})
}

// Letters that fold into others do not lead around a denial.
func TestDenialHoldsInEverySpelling(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "api_key", "1")
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "API_KEY")
	p := wantPending(t, err, "API_KEY")
	if err := v.DenyGrant(t.Context(), vaulttest.Admin, p.GrantID); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api_key", "Api_Key"} {
		_, err := h.discover("app", name)
		want(t, err, vault.ErrGrantDenied)
	}
	res, err := h.discover("app", "API_\u212aEY", "AP\u0130_KEY", "ap\u0131_key")
	if err != nil || len(res.Unmatched) != 3 {
		t.Errorf("got %+v, %v", res, err)
	}
}

// A variable has its value by every spelling that asks for it.
func TestSpellingsOfAVariable(t *testing.T) {
	_, h, _, _ := ready(t)
	res, err := h.rediscover("app", "KEY", "Key", "key", "KEY")
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Unmatched) != 0 || !res.FullMatched || len(res.Mapped) != 3 {
		t.Errorf("got %+v", res)
	}
	values, err := h.fetch("app", res.Token.Reveal())
	if err != nil || len(values) != 3 || values["Key"] != values["KEY"] || values["key"] != values["KEY"] || values["KEY"] == "" {
		t.Errorf("got %d values, %v", len(values), err)
	}
}

func TestFetchIsBounded(t *testing.T) {
	v := vaulttest.New(t)
	h := enrol(t, v, "", "bot")
	var names []string
	for i := range 9 {
		keep(t, v, "", fmt.Sprintf("big%d", i), strings.Repeat("x", vault.MaxValue))
		names = append(names, fmt.Sprintf("BIG%d", i))
	}
	res := h.approved("app", names...)
	_, err := h.fetch("app", res.Token.Reveal())
	wantInvalid(t, err, "the project")
}

// A header that was used stays used in the agent's next session.
func TestReplayAcrossSessions(t *testing.T) {
	v, h, _, bearer := ready(t)
	used := h.sign("GET", "/project/secrets/app", "", proof.AuthTokenID(string(bearer)))
	request := vault.FetchRequest{Project: "app", Bearer: opaque.New(bearer), Attestation: used}
	if _, err := v.FetchSecrets(t.Context(), vaulttest.Origin, request); err != nil {
		t.Fatal(err)
	}
	h.attest() // the same key
	spliced := *used
	spliced.SessionID = h.session
	request.Attestation = &spliced
	_, err := v.FetchSecrets(t.Context(), vaulttest.Origin, request)
	want(t, err, vault.ErrReplay)
}

// A binary that is taken off the list is out at once.
func TestDisallowedBinaryIsOut(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v := vaulttest.On(t, storeFor(t), vault.Config{RequireAttestation: true, AttestLimit: -1})
	h := enrol(t, v, "", "bot")
	sha, other := sum([]byte("daemon")), sum([]byte("other"))
	for _, allowed := range []string{sha, other} {
		if _, err := v.AllowDaemon(ctx, admin, vault.AllowedDaemon{SHA256: allowed, Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.discover("app")
	want(t, err, vault.ErrUnauthorized) // attested before there was a list
	res, err := h.tryAttest(sha)
	if err != nil {
		t.Fatal(err)
	}
	h.session = res.SessionID
	if _, err := h.discover("app"); err != nil {
		t.Fatal(err)
	}
	if err := v.DisallowDaemon(ctx, admin, sha); err != nil {
		t.Fatal(err)
	}
	_, err = h.rediscover("app")
	want(t, err, vault.ErrUnauthorized)
}

func TestRefusedAttestsAreCounted(t *testing.T) {
	v := vaulttest.New(t)
	h := enrol(t, v, "", "bot")
	h.attest()
	before := len(actions(t, v, 1000))
	for range 100 {
		_, err := h.tryAttest("0000")
		want(t, err, vault.ErrTooMany)
	}
	if n := len(actions(t, v, 1000)) - before; n != 1 {
		t.Errorf("100 refusals made %d entries", n)
	}
}

// Deleting an agent leaves nothing behind that keeps its namespace in use.
func TestDeletedAgentFreesItsNamespace(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	h := enrol(t, v, "tmp", "bot")
	if _, err := h.discover("junk", "NOTHING"); err != nil {
		t.Fatal(err)
	}
	if err := v.DeleteAgent(ctx, admin, "tmp", "bot"); err != nil {
		t.Fatal(err)
	}
	if err := v.DeleteNamespace(ctx, admin, "tmp"); err != nil {
		t.Error(err)
	}
}

func TestSignedTokenTooLong(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	var names []string
	for i := range 40 {
		s := keep(t, v, "", fmt.Sprintf("%s/%d", strings.Repeat("p", 300), i), "x")
		name := fmt.Sprintf("V%d", i)
		if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID, EnvVar: &name}); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	h := enrol(t, v, "", "bot")
	h.approved("app", names...)
	q := h.ask("app", names...)
	q.Regenerate, q.SignedToken = true, true
	_, err := h.send(q)
	wantInvalid(t, err, "signed_token")
	if got := actions(t, v, 1)[0]; got != "discover refused:invalid" {
		t.Errorf("recorded %q", got)
	}
	_, err = h.send(q)
	want(t, err, vault.ErrReplay)
}

// A name that is another item's path approves that name's item alone.
func TestApprovedNamesBeforePaths(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	one, two := keep(t, v, "", "x/one", "1"), keep(t, v, "", "FOO", "2")
	for s, name := range map[string]string{one.ID: "FOO", two.ID: "BAR"} {
		if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s, EnvVar: &name}); err != nil {
			t.Fatal(err)
		}
	}
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "FOO", "BAR")
	p := wantPending(t, err, "BAR", "FOO")
	got, err := v.ApproveGrant(ctx, admin, p.GrantID, vault.Approval{Keys: &[]string{"FOO"}})
	if err != nil || !slices.Equal(got.Approved, []string{"FOO"}) {
		t.Errorf("approved %v, %v", got.Approved, err)
	}
}

// A decoy does not hide behind another secret of its form.
func TestHoneyBehindAnotherSecret(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "aws/root", "real")
	_, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{Path: "aws_root", Type: vault.KeyValue, Value: opaque.New([]byte("bait")), Honey: true})
	if err != nil {
		t.Fatal(err)
	}
	h := enrol(t, v, "", "bot")
	_, err = h.discover("app", "AWS_ROOT")
	wantPending(t, err, "AWS_ROOT")
	if got := actions(t, v, 1)[0]; got != "honey_token_access alarm" {
		t.Errorf("recorded %q", got)
	}
}

// The record says what was approved, and which secret of that path was read.
func TestRecordSaysWhat(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	s := keep(t, v, "prod", "db", "1")
	keep(t, v, "staging", "db", "2")
	h := enrol(t, v, "prod", "bot")
	h.approved("app", "DB")
	if _, value, err := v.ReadSecret(ctx, admin, s.ID); err != nil || value.Len() != 1 {
		t.Fatal(err)
	}
	rows, _, err := v.AuditLog(ctx, admin, vault.AuditQuery{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, r := range rows {
		for _, about := range r.Resources {
			found[r.Action+" "+about.Path] = about.Decision
		}
	}
	for about, decision := range map[string]string{
		"pending_grant_approve db": "approved as DB", "discover_pending_new db": "requested as DB",
		"read_secret " + s.ID: "namespace=prod", "create_agent " + h.agent.ID: "namespace=prod",
	} {
		if found[about] != decision {
			t.Errorf("%s: %q, want %q", about, found[about], decision)
		}
	}
}
