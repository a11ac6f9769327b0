package server_test

import (
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// agentPub is the public key of the seed 00 01 … 1f.
const agentPub = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"

func TestAgents(t *testing.T) {
	s := servertest.New(t)
	a := s.TryAdmin(t, "POST", "/admin/agents", api.CreateAgent{AgentID: "bot", AgentPub: agentPub, Description: new("mine")})
	var made map[string]any
	if a.JSON(t, &made); a.Status != http.StatusCreated || made["agent_id"] != "bot" || made["namespace"] != "default" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	wantMembers(t, made, "id", "agent_id", "namespace")
	wantError(t, s.TryAdmin(t, "POST", "/admin/agents", api.CreateAgent{AgentID: "bot", AgentPub: agentPub}), http.StatusConflict, api.Conflict)

	var list []map[string]any
	if s.Admin(t, "GET", "/admin/agents", nil, &list); len(list) != 1 || list[0]["has_pubkey"] != true || list[0]["description"] != "mine" {
		t.Errorf("list %v", list)
	}
	wantMembers(t, list[0], "id", "agent_id", "description", "namespace", "created_at", "has_pubkey")

	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/agents/bot", nil), http.StatusOK, `{"deleted":true}`)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/agents/bot", nil), http.StatusNotFound, api.NotFound)
	wantBody(t, s.TryAdmin(t, "GET", "/admin/agents", nil), http.StatusOK, "[]")
}

func TestAgentsAreChecked(t *testing.T) {
	s := servertest.New(t)
	for name, body := range map[string]string{
		"no key":     `{"agent_id":"bot"}`,
		"blank key":  `{"agent_id":"bot","agent_pub":""}`,
		"short key":  `{"agent_id":"bot","agent_pub":"AAAA"}`,
		"zero key":   `{"agent_id":"bot","agent_pub":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"old secret": `{"agent_id":"bot","jwt_secret":"x"}`,
		"dot":        `{"agent_id":"b.o.t","agent_pub":"` + agentPub + `"}`,
		"no id":      `{"agent_pub":"` + agentPub + `"}`,
		"slashes":    `{"agent_id":"../bot","agent_pub":"` + agentPub + `"}`,
	} {
		a := s.TryAdmin(t, "POST", "/admin/agents", body)
		if a.Status != http.StatusBadRequest || a.Code() != string(api.InvalidRequest) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

// A name that stands in two namespaces needs one.
func TestAmbiguousAgent(t *testing.T) {
	s := servertest.New(t)
	s.Register(t, "bot")
	wantCreated(t, s.TryAdmin(t, "POST", "/admin/agents", api.CreateAgent{AgentID: "bot", AgentPub: agentPub, Namespace: "staging"}))
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/agents/bot", nil), http.StatusConflict, api.Conflict)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/agents/bot?namespace=a&namespace=b", nil), http.StatusBadRequest, api.InvalidRequest)
	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/agents/bot?namespace=staging", nil), http.StatusOK, `{"deleted":true}`)
	var list []api.Agent
	if s.Admin(t, "GET", "/admin/agents?namespace=default", nil, &list); len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

func wantCreated(t *testing.T, a servertest.Answer) {
	t.Helper()
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
}

// Deleting an agent ends everything it had, at once.
func TestDeletedAgentIsCutOff(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	s.Admin(t, "DELETE", "/admin/agents/bot", nil, nil)
	wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, a.Send(t, a.Discovery("app", "OPENAI_API_KEY")), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, a.Attest(t), http.StatusUnauthorized, api.Unauthorized)

	// An agent of the same id inherits nothing.
	heir := s.Enrol(t, "bot")
	wantError(t, heir.Fetch(t, "app", token), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, heir.Send(t, heir.Discovery("app", "OPENAI_API_KEY")), http.StatusForbidden, api.PendingApproval)
	wantError(t, a.Attest(t), http.StatusUnauthorized, api.Unauthorized)
}
