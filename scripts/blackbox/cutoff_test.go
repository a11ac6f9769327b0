package blackbox

import (
	"net/http"
	"testing"
)

// What is cut off is cut off, in every form of a token, and nothing that comes
// in its place inherits from it.

func TestAgentMadeAnewInheritsNothing(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		got := s.obtain(s.app, s.env(), object{"signed_token": true})
		v.admin("DELETE", "/admin/agents/"+s.id, nil).want(http.StatusOK)
		for _, token := range []any{got["project_token"], got["signed_project_token"]} {
			s.fetch(s.app, token).wantError(http.StatusUnauthorized)
		}
		s.discover(s.app, s.env()).wantError(http.StatusUnauthorized)
		anew := v.enrolled(s.id)
		for _, token := range []any{got["project_token"], got["signed_project_token"]} {
			anew.fetch(s.app, token).wantError(http.StatusUnauthorized)
		}
		anew.discover(s.app, s.env()).wantError(http.StatusForbidden, "pending_approval")
	})
}

func TestSecretMadeAnewIsAnother(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		token := s.obtain(s.app, s.env())["project_token"]
		old := v.admin("GET", "/admin/secrets", nil).find("key_path", s.key)["id"].(string)
		v.admin("DELETE", "/admin/secrets/"+old, nil).want(http.StatusOK)
		v.keep(s.key, "of somebody else")
		if got := s.values(s.app, token); len(got) != 1 {
			v.t.Errorf("%v", got)
		}
	})
}

func TestDeletedGrantIsNotFetched(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		token := s.obtain(s.app, s.env())["project_token"]
		v.admin("DELETE", "/admin/projects/"+s.app+"/grants/"+s.keyGrant, nil).want(http.StatusOK)
		got := s.fetch(s.app, token).want(http.StatusOK).object()
		has(v.t, got, object{"env_vars": object{variable(s.db): "hunter22"}, "withheld": []string{variable(s.key)}})
	})
}

// A token that was replaced is worth nothing, also as the JWT that it was.
func TestReplacedTokenIsClosed(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		got := s.obtain(s.app, s.env(), object{"signed_token": true})
		next := s.discover(s.app, s.env(), object{"regenerate_token": true, "signed_token": true}).want(http.StatusOK).object()
		for _, token := range []any{got["project_token"], got["signed_project_token"]} {
			s.fetch(s.app, token).wantError(http.StatusUnauthorized)
		}
		s.values(s.app, next["signed_project_token"])
	})
}

// Nobody takes a project's name by asking for nothing.
func TestEmptyScopeClaimsNothing(t *testing.T) {
	each(t, func(v *vault) {
		s, squatter := v.staged(), v.enrolled(v.named("squatter"))
		got := squatter.discover(s.app, "").want(http.StatusOK).object()
		has(v.t, got, object{"mapped_keys": object{}, "full_matched": false, "scope": []string{}})
		if values := squatter.values(s.app, got["project_token"]); len(values) != 0 {
			v.t.Errorf("%v", values)
		}
		s.values(s.app, s.obtain(s.app, s.env())["project_token"])
	})
}

// Who asks for what is not there learns no more than who is not let in.
func TestNamesAreNotTold(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		token := s.obtain(s.app, s.env())["project_token"]
		wrong := s.fetch(s.app, hexNonce(32)).wantError(http.StatusUnauthorized)
		for _, project := range []string{v.named("none"), s.id} {
			if a := s.fetch(project, token).wantError(http.StatusUnauthorized); string(a.body) != string(wrong.body) {
				v.t.Errorf("%s, not %s", a.body, wrong.body)
			}
		}
		forged, unknown := s.discovery(s.app, ""), s.discovery(s.app, "")
		forged["auth_proof"], unknown["agent_id"] = authProof(newKey(v.t), forged["ts"].(int64), forged["nonce"].(string), s.id), v.named("nobody")
		if a, b := s.post(forged), s.post(unknown); string(a.body) != string(b.body) {
			v.t.Errorf("%s, and %s", a.body, b.body)
		}
	})
}
