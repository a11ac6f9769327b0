package blackbox

import (
	"net/http"
	"testing"
)

// ask has a stage ask for its first access and returns the request's id.
func (s *stage) ask() string {
	s.v.t.Helper()
	pending := s.discover(s.app, s.env()).wantError(http.StatusForbidden, "pending_approval").object()
	return pending["details"].(object)["grant_id"].(string)
}

// pending returns the id of what waits for a project.
func (v *vault) pending(project string) any {
	v.t.Helper()
	return v.admin("GET", "/admin/pending-grants", nil).find("project_name", project)["id"]
}

func TestFirstAccessWaits(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		id := s.ask()
		if again := s.ask(); again != id {
			v.t.Errorf("a second request %s beside %s", again, id)
		}
		row := v.admin("GET", "/admin/pending-grants", nil).find("id", id)
		has(v.t, row, object{"agent_id": s.id, "project_name": s.app, "namespace": "default", "status": "pending", "approved_keys": []string{}, "decided_at": nil, "decided_by": nil, "auto_approval_until": nil, "source_ip": s.source})
		v.admin("POST", "/admin/pending-grants/"+id+"/approve", object{"approved_keys": []string{"NOT_ASKED_FOR"}}).wantError(http.StatusBadRequest)
		has(v.t, v.admin("POST", "/admin/pending-grants/"+id+"/approve", object{"approved_keys": nil}).want(http.StatusOK).object(), object{"approved": true, "id": id})
		has(v.t, v.admin("GET", "/admin/pending-grants", nil).find("id", id), object{"status": "approved", "decided_by": "admin"})
		for _, decision := range []string{"approve", "deny"} {
			v.admin("POST", "/admin/pending-grants/"+id+"/"+decision, object{}).wantError(http.StatusConflict)
		}
		s.discover(s.app, s.env()).want(http.StatusOK)
	})
}

func TestDenialHoldsUntilItIsDeleted(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		id := s.ask()
		has(v.t, v.admin("POST", "/admin/pending-grants/"+id+"/deny", nil).want(http.StatusOK).object(), object{"denied": true, "id": id})
		s.discover(s.app, s.env()).wantError(http.StatusForbidden, "grant_denied")
		has(v.t, v.admin("DELETE", "/admin/pending-grants/"+id, nil).want(http.StatusOK).object(), object{"deleted": true, "id": id})
		v.admin("DELETE", "/admin/pending-grants/"+id, nil).wantError(http.StatusNotFound)
		if again := s.ask(); again == id {
			v.t.Error("the same request again")
		}
	})
}

// Half an approval is one: the other half comes back unmatched.
func TestPartOfARequestIsApproved(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		v.admin("POST", "/admin/pending-grants/"+s.ask()+"/approve", object{"approved_keys": []string{variable(s.key)}}).want(http.StatusOK)
		got := s.discover(s.app, s.env()).want(http.StatusOK).object()
		has(v.t, got, object{"unmatched_keys": []string{variable(s.db)}, "scope": []string{s.key}})
	})
}

func TestProjectBelongsToItsFirstAgent(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		s.obtain(s.app, s.env())
		other := v.enrolled(v.named("other"))
		other.discover(s.app, s.env()).wantError(http.StatusForbidden, "project_agent_mismatch")
	})
}
