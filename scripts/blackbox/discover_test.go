package blackbox

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A stage is what nearly every story of a project begins with.
type stage struct {
	*agent
	app      string // the project
	key, db  string // two secrets, granted to it
	keyGrant string
}

// staged keeps two secrets and grants them to a project that an agent has not
// asked for yet.
func (v *vault) staged() *stage {
	v.t.Helper()
	s := &stage{agent: v.enrolled(v.named("bot")), app: v.named("app"), key: v.named("openai_api_key"), db: "db/" + v.named("password")}
	s.keyGrant = v.grant(s.app, v.keep(s.key, "sk-1"))
	v.grant(s.app, v.keep(s.db, "hunter22"))
	return s
}

// grant gives a project a secret and returns the grant's id.
func (v *vault) grant(project, secret string) string {
	v.t.Helper()
	return v.admin("POST", "/admin/projects/"+project+"/grants", object{"secret_id": secret}).want(http.StatusCreated).object()["id"].(string)
}

// env is a file that names both secrets.
func (s *stage) env() string {
	return "# what the program needs\n\n" + variable(s.key) + "=ignored\r\n" + variable(s.db) + "\n"
}

func TestDiscoverMatchesInFull(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		pending := s.discover(s.app, s.env()).wantError(http.StatusForbidden, "pending_approval").object()
		has(v.t, pending["details"].(object), object{"agent_id": s.id, "project_name": s.app, "requested_keys": []string{variable(s.key), variable(s.db)}})
		v.approve(pending["details"].(object)["grant_id"])
		got := s.discover(s.app, s.env()).want(http.StatusOK).object()
		has(v.t, got, object{"full_matched": true, "namespace": "default", "unmatched_keys": []string{}, "scope": []string{s.db, s.key}})
		has(v.t, got["mapped_keys"].(object), object{variable(s.key): s.key, variable(s.db): s.db})
		if token, _ := got["project_token"].(string); len(token) != 64 || got["signed_project_token"] != nil {
			v.t.Errorf("token %q of %v", token, got)
		}
	})
}

func TestDiscoverMatchesInPart(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		got := s.obtain(s.app, "OTHER=1\n"+s.env()+"OTHER=2\n")
		has(v.t, got, object{"full_matched": false, "unmatched_keys": []string{"OTHER", "OTHER"}})
		if mapped := got["mapped_keys"].(object); len(mapped) != 2 {
			v.t.Errorf("mapped %v", mapped)
		}
	})
}

func TestDiscoverTellsWhenItsTokenEnds(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		got := s.obtain(s.app, s.env())
		has(v.t, got, object{"token_ttl_seconds": 1209600})
		end, err := time.Parse("2006-01-02 15:04:05", got["token_expires_at"].(string))
		if left := time.Until(end); err != nil || left > 14*24*time.Hour || left < 14*24*time.Hour-patience {
			v.t.Errorf("it ends at %v, %v", got["token_expires_at"], err)
		}
	})
}

func TestDiscoverNeedsAProof(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		for _, member := range []string{"agent_id", "auth_proof", "context", "ts", "nonce"} {
			d := s.discovery(s.app, s.env())
			delete(d, member)
			status := http.StatusBadRequest
			if member == "ts" || member == "nonce" {
				status = http.StatusUnauthorized
			}
			s.post(d).wantError(status)
		}
		other := s.discovery(s.app, s.env())
		other["auth_proof"] = authProof(newKey(v.t), other["ts"].(int64), other["nonce"].(string), s.id)
		s.post(other).wantError(http.StatusUnauthorized)
		stranger := s.discovery(s.app, s.env())
		stranger["agent_id"] = v.named("nobody")
		s.post(stranger).wantError(http.StatusUnauthorized)
	})
}

func TestDiscoverRefusesAnotherTime(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		for _, skew := range []time.Duration{-time.Hour, -6 * time.Minute, 6 * time.Minute, time.Hour} {
			s.post(s.discoveryAt(time.Now().Add(skew), s.app, s.env())).wantError(http.StatusUnauthorized)
		}
		s.post(s.discoveryAt(time.Now().Add(-4*time.Minute), s.app, s.env())).wantError(http.StatusForbidden, "pending_approval")
	})
}

func TestProofIsGoodOnce(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		d := s.discovery(s.app, s.env())
		s.post(d).wantError(http.StatusForbidden, "pending_approval")
		mentions(v.t, s.post(d).wantError(http.StatusUnauthorized), "replay")
	})
}

func TestSecondDiscoverNeedsToRegenerate(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		first := s.obtain(s.app, s.env())["project_token"]
		s.discover(s.app, s.env()).wantError(http.StatusConflict)
		s.values(s.app, first) // nothing was changed
		second := s.discover(s.app, s.env(), object{"regenerate_token": true}).want(http.StatusOK).object()["project_token"]
		if second == first || fmt.Sprint(second) == "" {
			v.t.Errorf("%v after %v", second, first)
		}
		s.values(s.app, second)
		s.fetch(s.app, first).wantError(http.StatusUnauthorized)
	})
}

// Of first runs at the same moment one gets the token, and none an accident.
func TestFirstDiscoversAtOnce(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		for _, a := range s.atOnce(2) {
			a.wantError(http.StatusForbidden, "pending_approval")
		}
		v.approve(v.pending(s.app))
		counts := map[int]int{}
		for _, a := range s.atOnce(3) {
			counts[a.status]++
		}
		if counts[http.StatusOK] != 1 || counts[http.StatusConflict] != 2 {
			v.t.Errorf("%v", counts)
		}
	})
}

// atOnce sends n discoveries side by side.
func (s *stage) atOnce(n int) []answer {
	s.v.t.Helper()
	answers := make([]answer, n)
	var sent sync.WaitGroup
	for i := range answers {
		d := s.discovery(s.app, s.env())
		sent.Go(func() { answers[i] = s.post(d) })
	}
	sent.Wait()
	return answers
}

func TestSignedTokenOpensTheProject(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		got := s.obtain(s.app, s.env(), object{"signed_token": true})
		jwt := got["signed_project_token"].(string)
		c := claims(v.t, jwt)
		has(v.t, c, object{"iss": "cortex-auth", "sub": s.app, "aud": "cortex-cli", "namespace": "default", "project_id": s.app, "scope": []string{s.db, s.key}})
		if c["exp"].(float64)-c["iat"].(float64) != 1209600 || c["jti"] == "" {
			v.t.Errorf("claims %v", c)
		}
		v.verify(jwt)
		has(v.t, s.values(s.app, jwt), object{variable(s.key): "sk-1"})
		s.fetch(s.app, jwt[:len(jwt)-4]+"AAAA").wantError(http.StatusUnauthorized)
	})
}

// A whole file travels, as older daemons send it: only its names count, and
// whatever is no name is one that nobody knows.
func TestDiscoverReadsWholeFiles(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		file := "# comment\n\n   \n  " + variable(s.key) + "  = \"sk-from=the file\" # more\n" + variable(s.db) + "\nnot a name\n=nameless\nexport X=1\n'\n"
		got := s.obtain(s.app, file)
		has(v.t, got, object{"unmatched_keys": []string{"not a name", "export X", "'"}})
		has(v.t, got["mapped_keys"].(object), object{variable(s.key): s.key, variable(s.db): s.db})
	})
}
