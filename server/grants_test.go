package server_test

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

func TestProjectGrants(t *testing.T) {
	s := servertest.New(t)
	secret := s.Secret(t, "db/api-key", "x")
	a := s.TryAdmin(t, "POST", "/admin/projects/app/grants", api.CreateGrant{SecretID: secret})
	wantCreated(t, a)
	var made map[string]any
	if a.JSON(t, &made); made["secret_key_path"] != "db/api-key" || made["env_var_name"] != nil || made["secret_id"] != secret {
		t.Errorf("%v", made)
	}
	wantMembers(t, made, "id", "project_name", "secret_id", "secret_key_path", "env_var_name")
	wantError(t, s.TryAdmin(t, "POST", "/admin/projects/app/grants", api.CreateGrant{SecretID: secret}), http.StatusConflict, api.Conflict)
	wantError(t, s.TryAdmin(t, "POST", "/admin/projects/app/grants", api.CreateGrant{SecretID: "nope"}), http.StatusNotFound, api.NotFound)
	wantError(t, s.TryAdmin(t, "POST", "/admin/projects/app/grants", `{}`), http.StatusBadRequest, api.InvalidRequest)

	var list []map[string]any
	if s.Admin(t, "GET", "/admin/projects/app/grants", nil, &list); len(list) != 1 || list[0]["env_var_name"] != "API-KEY" || list[0]["secret_id"] != "" || list[0]["granted_by"] != "admin" {
		t.Errorf("%v", list)
	}
	wantMembers(t, list[0], "id", "project_name", "secret_id", "secret_key_path", "secret_namespace", "env_var_name", "granted_by", "granted_at")

	id := made["id"].(string)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/projects/other/grants/"+id, nil), http.StatusNotFound, api.NotFound)
	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/projects/app/grants/"+id, nil), http.StatusOK, `{"deleted":true,"id":"`+id+`"}`)
	wantBody(t, s.TryAdmin(t, "GET", "/admin/projects/app/grants", nil), http.StatusOK, "[]")
}

func TestGrantedVariable(t *testing.T) {
	s := unlimited(t)
	wantCreated(t, s.TryAdmin(t, "POST", "/admin/projects/app/grants", api.CreateGrant{SecretID: s.Secret(t, "db/pw", "x"), EnvVarName: new("database_url")}))
	a := s.Enrol(t, "bot")
	d := a.Obtain(t, "app", "Database_Url")
	if v := a.Values(t, "app", d.Token); v["Database_Url"] != "x" {
		t.Errorf("%v", v)
	}
}

// begin makes a pending grant and returns its id.
func begin(t *testing.T, a *servertest.Agent, project string, names ...string) string {
	t.Helper()
	answer := a.Send(t, a.Discovery(project, names...))
	wantError(t, answer, http.StatusForbidden, api.PendingApproval)
	var e api.Error
	answer.JSON(t, &e)
	return e.Details.GrantID
}

// The list is cut where it would grow too long, but never where somebody
// waits.
func TestLongListOfRequests(t *testing.T) {
	t.Parallel()
	s := unlimited(t)
	a := staged(t, s)
	open := begin(t, a, "app", "OPENAI_API_KEY")
	s.Grant(t, "closed", s.Secret(t, "closed", "x"))
	for i := range 505 {
		project := "closed" + strconv.Itoa(i)
		s.Grant(t, project, s.Secret(t, "k"+strconv.Itoa(i), "x"))
		s.Admin(t, "POST", "/admin/pending-grants/"+begin(t, a, project, "K"+strconv.Itoa(i))+"/deny", nil, nil)
	}
	var list []api.PendingGrant
	if s.Admin(t, "GET", "/admin/pending-grants", nil, &list); len(list) != 500 || list[499].ID != open || list[0].ProjectName != "closed504" {
		t.Errorf("%d rows, the last %+v", len(list), list[len(list)-1])
	}
	if s.Admin(t, "GET", "/admin/pending-grants?status=pending", nil, &list); len(list) != 1 || list[0].ID != open {
		t.Errorf("%+v", list)
	}
	if s.Admin(t, "GET", "/admin/pending-grants?status=denied", nil, &list); len(list) != 500 {
		t.Errorf("%d denied", len(list))
	}
	wantError(t, s.TryAdmin(t, "GET", "/admin/pending-grants?status=open", nil), http.StatusBadRequest, api.InvalidRequest)
}

func TestPendingGrants(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	id := begin(t, a, "app", "OPENAI_API_KEY", "PASSWORD")
	var list []map[string]any
	if s.Admin(t, "GET", "/admin/pending-grants", nil, &list); len(list) != 1 || list[0]["id"] != id || list[0]["status"] != "pending" || list[0]["source_ip"] != "127.0.0.1" {
		t.Errorf("%v", list)
	}
	wantMembers(t, list[0], "id", "agent_id", "project_name", "namespace", "requested_keys", "approved_keys", "status", "requested_at",
		"decided_at", "decided_by", "auto_approval_until", "source_ip", "items")
	if approved, ok := list[0]["approved_keys"].([]any); !ok || len(approved) != 0 {
		t.Errorf("approved %v", list[0]["approved_keys"])
	}

	path := "/admin/pending-grants/" + id
	wantError(t, s.TryAdmin(t, "POST", path+"/approve", `{"approved_keys":["SOMETHING_ELSE"]}`), http.StatusBadRequest, api.InvalidRequest)
	wantError(t, s.TryAdmin(t, "POST", path+"/approve", ``), http.StatusBadRequest, api.InvalidRequest)
	wantError(t, s.TryAdmin(t, "POST", "/admin/pending-grants/nope/approve", `{}`), http.StatusNotFound, api.NotFound)
	answer := s.TryAdmin(t, "POST", path+"/approve", `{"approved_keys":null}`)
	var approved map[string]any
	if answer.JSON(t, &approved); answer.Status != http.StatusOK || approved["approved"] != true || approved["id"] != id {
		t.Errorf("%s", answer.Body)
	}
	wantMembers(t, approved, "approved", "id", "approved_keys", "auto_approval_until")
	wantError(t, s.TryAdmin(t, "POST", path+"/approve", `{}`), http.StatusConflict, api.Conflict)
	wantError(t, s.TryAdmin(t, "POST", path+"/deny", nil), http.StatusConflict, api.Conflict)

	if s.Admin(t, "GET", "/admin/pending-grants", nil, &list); list[0]["status"] != "approved" || list[0]["decided_by"] != "admin" || list[0]["auto_approval_until"] == nil {
		t.Errorf("%v", list[0])
	}
	wantBody(t, s.TryAdmin(t, "DELETE", path, nil), http.StatusOK, `{"deleted":true,"id":"`+id+`"}`)
	wantError(t, s.TryAdmin(t, "DELETE", path, nil), http.StatusNotFound, api.NotFound)
}

// What the administrator left out comes back unmatched, and nobody is asked
// again.
func TestPartialApproval(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	id := begin(t, a, "app", "OPENAI_API_KEY", "PASSWORD")
	s.Admin(t, "POST", "/admin/pending-grants/"+id+"/approve", `{"approved_keys":["OPENAI_API_KEY"]}`, nil)
	d := a.Discover(t, "app", "OPENAI_API_KEY", "PASSWORD")
	if d.FullMatched || !slices.Equal(d.UnmatchedKeys, []string{"PASSWORD"}) {
		t.Errorf("%+v", d)
	}
	if v := a.Values(t, "app", d.Token); len(v) != 1 || v["OPENAI_API_KEY"] != "sk-1" {
		t.Errorf("%v", v)
	}
	var list []any
	if s.Admin(t, "GET", "/admin/pending-grants", nil, &list); len(list) != 1 {
		t.Errorf("%v", list)
	}
}

func TestApprovalByPath(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	id := begin(t, a, "app", "PASSWORD")
	s.Admin(t, "POST", "/admin/pending-grants/"+id+"/approve", `{"approved_keys":["db/password"]}`, nil)
	if v := a.Values(t, "app", a.Discover(t, "app", "PASSWORD").Token); v["PASSWORD"] != "hunter22" {
		t.Errorf("%v", v)
	}
}

func TestDenial(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	id := begin(t, a, "app", "OPENAI_API_KEY")
	wantBody(t, s.TryAdmin(t, "POST", "/admin/pending-grants/"+id+"/deny", nil), http.StatusOK, `{"denied":true,"id":"`+id+`"}`)
	wantError(t, a.Send(t, a.Discovery("app", "OPENAI_API_KEY")), http.StatusForbidden, api.GrantDenied)
	s.Admin(t, "DELETE", "/admin/pending-grants/"+id, nil, nil)
	begin(t, a, "app", "OPENAI_API_KEY")
}

// More names than were approved ask again, and the old token stays good.
func TestScopeGrowth(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	begin(t, a, "app", "OPENAI_API_KEY", "PASSWORD")
	if v := a.Values(t, "app", token); len(v) != 1 {
		t.Errorf("%v", v)
	}
}

// A name without a grant is proposed when a secret fits it.
func TestProposal(t *testing.T) {
	s := unlimited(t)
	s.Secret(t, "stripe/api_key", "sk-s")
	a := s.Enrol(t, "bot")
	id := begin(t, a, "shop", "STRIPE_API_KEY", "UNKNOWN")
	s.Admin(t, "POST", "/admin/pending-grants/"+id+"/approve", `{}`, nil)
	d := a.Discover(t, "shop", "STRIPE_API_KEY", "UNKNOWN")
	if v := a.Values(t, "shop", d.Token); v["STRIPE_API_KEY"] != "sk-s" || len(v) != 1 {
		t.Errorf("%v", v)
	}
}

// A decoy that somebody merely names is no reason to freeze anybody.
func TestHoneyByName(t *testing.T) {
	s := unlimited(t)
	s.SecretWith(t, map[string]any{"key_path": "root_password", "secret_type": "KEY_VALUE", "value": "bait", "is_honey_token": true})
	a := s.Enrol(t, "bot")
	if d := a.Discover(t, "app", "ROOT_PASSWORD"); !slices.Equal(d.UnmatchedKeys, []string{"ROOT_PASSWORD"}) {
		t.Errorf("%+v", d)
	}
	if answer := a.Send(t, a.Discovery("other")); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

// Another secret for a variable, and another window.
func TestRemappedApproval(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	s.Secret(t, "db/read_only", "careful")
	id := begin(t, a, "app", "OPENAI_API_KEY", "PASSWORD")
	path := "/admin/pending-grants/" + id + "/approve"
	for _, body := range []string{
		`{"auto_approval_days":0}`, `{"auto_approval_days":366}`, `{"auto_approval_days":"7"}`,
		`{"remap":{"PASSWORD":"no/such"}}`, `{"remap":{"OTHER":"db/read_only"}}`, `{"remap":["PASSWORD"]}`, `{"remap":{"PASSWORD":7}}`,
		`{"approved_keys":["OPENAI_API_KEY"],"remap":{"PASSWORD":"db/read_only"}}`,
	} {
		wantError(t, s.TryAdmin(t, "POST", path, body), http.StatusBadRequest, api.InvalidRequest)
	}
	var out api.ApprovedGrant
	s.Admin(t, "POST", path, `{"approved_keys":["PASSWORD"],"remap":{"PASSWORD":"db/read_only"},"auto_approval_days":1}`, &out)
	if left := time.Until(out.AutoApprovalUntil.Time); left > 24*time.Hour || left < 23*time.Hour {
		t.Errorf("holds for %s", left)
	}
	d := a.Discover(t, "app", "OPENAI_API_KEY", "PASSWORD")
	if !slices.Equal(d.UnmatchedKeys, []string{"OPENAI_API_KEY"}) {
		t.Errorf("%+v", d)
	}
	if v := a.Values(t, "app", d.Token); v["PASSWORD"] != "careful" || len(v) != 1 {
		t.Errorf("%v", v)
	}
	var list []api.PendingGrant
	s.Admin(t, "GET", "/admin/pending-grants?status=approved", nil, &list)
	for _, i := range list[0].Items {
		if (i.AskedKeyPath == "db/password" && i.KeyPath == "db/read_only") != (i.EnvVarName == "PASSWORD") {
			t.Errorf("%+v", i)
		}
	}
}
