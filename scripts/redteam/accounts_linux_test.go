package redteam

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

var accountMoves = moves{
	"admin-gives-away": adminGivesAway,
	"one-of-two":       oneOfTwo,
	"one-before-two":   oneBeforeTwo,
	"first-password":   firstPassword,
	"confined":         confinedToNamespace,
	"confined-names":   confinedNames,
}

// A person has an account.
type person struct {
	*servertest.Server
	name, password string
}

// logIn logs a person in with a password, and reports whether it was let in.
func (p *person) logIn(t *testing.T, s *site) bool {
	t.Helper()
	a := s.Do(t, servertest.Request{Method: http.MethodPost, Path: "/login", Body: object{"name": p.name, "password": p.password}})
	if refused(t, a) {
		return false
	}
	var out struct{ Token string }
	a.JSON(t, &out)
	as := *s.Server
	as.AdminToken = out.Token
	p.Server = &as
	return true
}

// choose has a person replace the password that was given.
func (p *person) choose(t *testing.T, s *site) {
	t.Helper()
	next := rand.Text()
	p.Admin(t, http.MethodPost, "/admin/password", object{"current_password": p.password, "new_password": next}, nil)
	if p.password = next; !p.logIn(t, s) {
		t.Fatal("the new password is not good")
	}
}

// account makes an account with the admin token, and returns its holder, logged in
// with the password that was given.
func (s *site) account(t *testing.T, role string, namespaces ...string) *person {
	t.Helper()
	p := &person{name: named(role), password: rand.Text()}
	s.Admin(t, http.MethodPost, "/admin/users", object{"name": p.name, "role": role, "password": p.password, "namespaces": namespaces}, nil)
	if !p.logIn(t, s) {
		t.Fatal("the account cannot log in")
	}
	return p
}

// split asks for shares, and reports whether they were given away.
func split(t *testing.T, by *servertest.Server, more object) bool {
	t.Helper()
	body := object{"threshold": 2, "shares": 2}
	for name, value := range more {
		body[name] = value
	}
	a := by.TryAdmin(t, http.MethodPost, "/admin/shamir/generate", body)
	return !refused(t, a) && strings.Contains(string(a.Body), `"shares":["`)
}

func adminGivesAway(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	given := split(t, s.Server, nil)
	// An account has to give a password, a right one.
	super := s.account(t, "super")
	if split(t, super.Server, nil) || split(t, super.Server, object{"current_password": "not the password"}) || !split(t, super.Server, object{"current_password": s.password}) {
		t.Error("an account gives shares away without the operator password, or cannot with it")
	}
	return unless(given, stopped)
}

// twoPersons is a site that takes two persons, with one super account whose holder
// chose the password.
var twoPersons = once(func() (out struct {
	*site
	bob *person
},
) {
	out.site = newSite(stage, "CORTEX_TWO_PERSON=1")
	out.bob = out.account(stage, "super")
	out.bob.choose(stage, out.site)
	return out
})

// confirmation returns the newest request for a confirmation that wants something.
func confirmation(t *testing.T, s *servertest.Server, action string) string {
	t.Helper()
	var list []struct{ ID, Action, What string }
	s.Admin(t, http.MethodGet, "/admin/confirmations", nil, &list)
	for _, c := range list {
		if c.Action == action {
			return c.ID
		}
	}
	t.Fatalf("nobody is asked about %s: %+v", action, list)
	return ""
}

// One person tries all there is to do alone.
func oneOfTwo(t *testing.T) outcome {
	t.Parallel()
	s := twoPersons()
	password := object{"current_password": s.password}
	if split(t, s.Server, nil) || split(t, s.bob.Server, password) {
		return open
	}
	id := confirmation(t, s.Server, "shamir_generate")
	var list []struct {
		ID      string
		AskedBy string `json:"asked_by"`
	}
	s.Admin(t, http.MethodGet, "/admin/confirmations", nil, &list)
	for _, c := range list {
		if c.AskedBy == "admin" && !refused(t, s.TryAdmin(t, http.MethodPost, "/admin/confirmations/"+c.ID+"/confirm", nil)) {
			return open // the token confirms its own
		}
	}
	// A second account of one's own, or somebody else's made one's own.
	for _, try := range []servertest.Answer{
		s.TryAdmin(t, http.MethodPost, "/admin/users", object{"name": named("two"), "role": "super", "password": rand.Text()}),
		s.TryAdmin(t, http.MethodPost, "/admin/rotate-key", object{"new_kek_password": rand.Text()}),
	} {
		if !refused(t, try) {
			return open
		}
	}
	small := s.account(t, "admin")
	if !refused(t, small.TryAdmin(t, http.MethodPost, "/admin/confirmations/"+id+"/confirm", nil)) {
		return open
	}
	var users []struct{ ID, Name string }
	s.Admin(t, http.MethodGet, "/admin/users", nil, &users)
	for _, u := range users {
		change := object{"password": rand.Text()}
		if u.Name == small.name {
			change = object{"role": "super"}
		}
		if !refused(t, s.TryAdmin(t, http.MethodPut, "/admin/users/"+u.ID, change)) {
			return open
		}
	}
	// With the second one it works: what bob asked for, the token confirms.
	for _, c := range list {
		if c.AskedBy != "admin" {
			s.Admin(t, http.MethodPost, "/admin/confirmations/"+c.ID+"/confirm", nil, nil)
		}
	}
	if !split(t, s.bob.Server, password) {
		t.Fatal("two persons cannot do it either")
	}
	return stopped
}

func oneBeforeTwo(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t, "CORTEX_TWO_PERSON=1")
	alone := split(t, s.Server, nil)
	// Nobody was there to make himself one.
	mine := s.account(t, "super")
	mine.choose(t, s)
	split(t, s.Server, nil)
	id := confirmation(t, mine.Server, "shamir_generate")
	mine.Admin(t, http.MethodPost, "/admin/confirmations/"+id+"/confirm", nil, nil)
	return unless(alone || split(t, s.Server, nil), stopped)
}

// Who gave the first password logs in before its holder.
func firstPassword(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t, "CORTEX_TWO_PERSON=1")
	holder := &person{name: named("carol"), password: rand.Text()}
	s.Admin(t, http.MethodPost, "/admin/users", object{"name": holder.name, "role": "super", "password": holder.password}, nil)
	thief := *holder
	if !thief.logIn(t, s) {
		t.Fatal("the first password is not good")
	}
	thief.choose(t, s)
	if holder.logIn(t, s) {
		return stopped
	}
	split(t, s.Server, nil)
	a := thief.TryAdmin(t, http.MethodPost, "/admin/confirmations/"+confirmation(t, thief.Server, "shamir_generate")+"/confirm", nil)
	return unless(!refused(t, a) && split(t, s.Server, nil), stopped)
}

// confinedToNamespace asks about what is elsewhere, and about what is nowhere.
func confinedToNamespace(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	here, there := named("here"), named("there")
	for _, ns := range []string{here, there} {
		s.Admin(t, http.MethodPost, "/admin/namespaces", object{"name": ns}, nil)
	}
	const path = "db/password"
	keep := func(ns string) string {
		return s.SecretWith(t, object{"key_path": path, "secret_type": "KEY_VALUE", "value": canary(), "namespace": ns})
	}
	mine, theirs := keep(here), keep(there)
	p := s.account(t, "admin", here)
	ok(t, p.TryAdmin(t, http.MethodGet, "/admin/secrets/"+mine, nil))
	nowhere, nobody := strings.Repeat("0", 8)+theirs[8:], named("nowhere")
	for _, ask := range []struct {
		method, there, nowhere string
		body                   any
	}{
		{"GET", "/admin/secrets/" + theirs, "/admin/secrets/" + nowhere, nil},
		{"DELETE", "/admin/secrets/" + theirs, "/admin/secrets/" + nowhere, nil},
		{"PUT", "/admin/secrets/" + theirs, "/admin/secrets/" + nowhere, object{"value": "mine"}},
		{"GET", "/admin/secrets/" + theirs + "/versions", "/admin/secrets/" + nowhere + "/versions", nil},
		{"POST", "/admin/secrets/" + theirs + "/destroy", "/admin/secrets/" + nowhere + "/destroy", nil},
		{"GET", "/admin/secrets?namespace=" + there, "/admin/secrets?namespace=" + nobody, nil},
		{"GET", "/admin/agents?namespace=" + there, "/admin/agents?namespace=" + nobody, nil},
		{"DELETE", "/admin/namespaces/" + there, "/admin/namespaces/" + nobody, nil},
	} {
		a, b := p.TryAdmin(t, ask.method, ask.there, ask.body), p.TryAdmin(t, ask.method, ask.nowhere, ask.body)
		if a.Status != b.Status || string(a.Body) != string(b.Body) {
			t.Logf("%s %s: %d %s; %d %s", ask.method, ask.there, a.Status, a.Body, b.Status, b.Body)
			return open
		}
	}
	for _, list := range []string{"/admin/secrets", "/admin/namespaces", "/admin/audit-logs"} {
		if strings.Contains(string(ok(t, p.TryAdmin(t, http.MethodGet, list, nil)).Body), there) {
			return open
		}
	}
	return stopped
}

// The names of policies are everybody's.
func confinedNames(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	here, there, taken := named("here"), named("there"), named("policy")
	for _, ns := range []string{here, there} {
		s.Admin(t, http.MethodPost, "/admin/namespaces", object{"name": ns}, nil)
	}
	policy := func(name, ns string) object {
		return object{"policy_name": name, "agent_pattern": "*", "allowed_paths": []string{}, "denied_paths": []string{"x"}, "namespace": ns}
	}
	s.Admin(t, http.MethodPost, "/admin/policies", policy(taken, there), nil)
	p := s.account(t, "admin", here)
	ok(t, p.TryAdmin(t, http.MethodPost, "/admin/policies", policy(named("policy"), here)))
	a := p.TryAdmin(t, http.MethodPost, "/admin/policies", policy(taken, here))
	switch {
	case strings.Contains(string(ok(t, p.TryAdmin(t, http.MethodGet, "/admin/policies", nil)).Body), taken) || strings.Contains(string(a.Body), there):
		return open // it reads more than that
	case a.Status == http.StatusConflict:
		return limited
	}
	return stopped
}
