package server_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// freeze cuts something off, and unfreeze lets it in again.
func freeze(t *testing.T, s *servertest.Server, kind, name string) {
	t.Helper()
	var out api.Frozen
	s.Admin(t, "POST", "/admin/freeze", api.FreezeTarget{Kind: kind, Name: name, Reason: new("drill")}, &out)
	if !out.Frozen || out.Kind != kind || out.Name != name || out.AlreadyFrozen {
		t.Errorf("%+v", out)
	}
}

func unfreeze(t *testing.T, s *servertest.Server, kind, name string) {
	t.Helper()
	var out api.Unfrozen
	s.Admin(t, "POST", "/admin/unfreeze", api.FreezeTarget{Kind: kind, Name: name}, &out)
	if !out.Unfrozen || out.Name != name {
		t.Errorf("%+v", out)
	}
}

// Each kind of freeze stops what it should, at once, and gives it back.
func TestFreeze(t *testing.T) {
	for _, tc := range []struct {
		kind, name string
		fetch      api.Code // "": withheld
		discover   api.Code // "": unmatched
	}{
		{api.KindAgent, "bot", api.Unauthorized, api.Unauthorized},
		{api.KindProject, "app", api.Unauthorized, api.ProjectFrozen},
		{api.KindNamespace, "default", api.Unauthorized, api.Unauthorized},
		{api.KindSecret, "openai_api_key", "", ""},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
			a := staged(t, s)
			token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
			freeze(t, s, tc.kind, tc.name)
			answer := a.Fetch(t, "app", token)
			if tc.fetch != "" {
				wantError(t, answer, http.StatusUnauthorized, tc.fetch)
			} else {
				wantBody(t, answer, http.StatusOK, `{"env_vars":{},"withheld":["OPENAI_API_KEY"]}`)
			}
			d := a.Discovery("app", "OPENAI_API_KEY")
			d.RegenerateToken = new(true)
			answer = a.Send(t, d)
			switch tc.discover {
			case "":
				var got servertest.Discovered
				if answer.JSON(t, &got); !slices.Equal(got.UnmatchedKeys, []string{"OPENAI_API_KEY"}) {
					t.Errorf("%s", answer.Body)
				}
			case api.Unauthorized:
				wantError(t, answer, http.StatusUnauthorized, tc.discover)
				wantError(t, a.Attest(t), http.StatusUnauthorized, api.Unauthorized)
			default:
				wantError(t, answer, http.StatusForbidden, tc.discover)
			}
			again := s.TryAdmin(t, "POST", "/admin/freeze", api.FreezeTarget{Kind: tc.kind, Name: tc.name})
			wantBody(t, again, http.StatusOK, `{"frozen":true,"kind":"`+tc.kind+`","name":"`+tc.name+`","namespace":"default","already_frozen":true}`)
			var list []api.Freeze
			if s.Admin(t, "GET", "/admin/freezes", nil, &list); len(list) != 1 || *list[0].Reason != "drill" || list[0].FrozenBy != "admin" {
				t.Errorf("%+v", list)
			}
			unfreeze(t, s, tc.kind, tc.name)
			d = a.Discovery("app", "OPENAI_API_KEY")
			d.RegenerateToken = new(true)
			var got servertest.Discovered
			a.Send(t, d).JSON(t, &got)
			if v := a.Values(t, "app", got.Token); v["OPENAI_API_KEY"] != "sk-1" {
				t.Errorf("%v", v)
			}
			wantError(t, s.TryAdmin(t, "POST", "/admin/unfreeze", api.FreezeTarget{Kind: tc.kind, Name: tc.name}), http.StatusNotFound, api.NotFound)
			rows := audited(t, s, "freeze", "unfreeze")
			if !slices.Equal(rows, []string{"unfreeze refused:not_found", "unfreeze success", "freeze success", "freeze success"}) {
				t.Errorf("recorded %v", rows)
			}
		})
	}
}

// audited returns action and status of the rows of these actions, newest first.
func audited(t *testing.T, s *servertest.Server, actions ...string) (found []string) {
	t.Helper()
	var rows []api.AuditRow
	s.Admin(t, "GET", "/admin/audit-logs?limit=500", nil, &rows)
	for _, r := range rows {
		if slices.Contains(actions, r.Action) {
			found = append(found, r.Action+" "+r.Status)
		}
	}
	return found
}

func TestBadFreezes(t *testing.T) {
	s := servertest.New(t)
	s.Register(t, "bot")
	for body, status := range map[string]int{
		`{"kind":"agent","name":"nobody"}`:                                          http.StatusNotFound,
		`{"kind":"agent","name":"a\u0000b"}`:                                        http.StatusBadRequest,
		`{"kind":"agent","id":"nope"}`:                                              http.StatusNotFound,
		`{"kind":"project","name":"nope"}`:                                          http.StatusNotFound,
		`{"kind":"project","name":"a\u0000b"}`:                                      http.StatusBadRequest,
		`{"kind":"secret","name":"no/such"}`:                                        http.StatusNotFound,
		`{"kind":"secret","name":"a\u0000b"}`:                                       http.StatusBadRequest,
		`{"kind":"namespace","name":"nope"}`:                                        http.StatusNotFound,
		`{"kind":"agent","name":"bot","namespace":"nope"}`:                          http.StatusNotFound,
		`{"kind":"agent"}`:                                                          http.StatusBadRequest,
		`{"kind":"agent","name":"bot","id":"x"}`:                                    http.StatusBadRequest,
		`{"kind":"project","id":"x"}`:                                               http.StatusBadRequest,
		`{"kind":"planet","name":"x"}`:                                              http.StatusBadRequest,
		`{"kind":"agent","name":"bot","namespace":"a/b"}`:                           http.StatusBadRequest,
		`{"kind":"agent","name":"bot","reason":"a\nb"}`:                             http.StatusBadRequest,
		`{"kind":"agent","name":"bot","reason":"` + strings.Repeat("x", 513) + `"}`: http.StatusBadRequest,
		`{"kind":"agent","name":"` + strings.Repeat("x", 600) + `"}`:                http.StatusBadRequest,
	} {
		if a := s.TryAdmin(t, "POST", "/admin/freeze", body); a.Status != status {
			t.Errorf("%s: %d %s", body, a.Status, a.Body)
		}
	}
	var list []api.Freeze
	if s.Admin(t, "GET", "/admin/freezes", nil, &list); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	for _, path := range []string{"/admin/freeze", "/admin/unfreeze"} {
		wantError(t, s.Do(t, servertest.Request{Method: "POST", Path: path, Body: `{"kind":"agent","name":"bot"}`}), http.StatusUnauthorized, api.Unauthorized)
	}
}

// A honey secret freezes, and an administrator can lift it.
func TestUnfreezeAfterHoney(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
	a := staged(t, s)
	id := s.SecretWith(t, map[string]any{"key_path": "root", "secret_type": "KEY_VALUE", "value": "bait"})
	token := a.Obtain(t, "app", "ROOT").Token
	s.Admin(t, "PUT", "/admin/secrets/"+id, `{"is_honey_token":true}`, nil)
	wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, a.Send(t, a.Discovery("app", "PASSWORD")), http.StatusUnauthorized, api.Unauthorized)
	unfreeze(t, s, api.KindAgent, "bot")
	wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.TokenRevoked)
	if v := a.Values(t, "app", a.Obtain(t, "app", "PASSWORD").Token); v["PASSWORD"] != "hunter22" {
		t.Errorf("%v", v)
	}
}

// CORTEX_HONEY_ON_NAME=freeze makes the name of a honey secret a trap as well.
func TestHoneyNameFreezes(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, FreezeOnHoneyName: true})
	a := staged(t, s)
	token := a.Obtain(t, "app", "PASSWORD").Token
	s.SecretWith(t, map[string]any{"key_path": "root_password", "secret_type": "KEY_VALUE", "value": "bait", "is_honey_token": true})
	d := a.Discovery("app", "PASSWORD", "ROOT_PASSWORD")
	d.RegenerateToken = new(true)
	wantError(t, a.Send(t, d), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.TokenRevoked)
	var list []api.Freeze
	if s.Admin(t, "GET", "/admin/freezes", nil, &list); len(list) != 1 || list[0].Name != "bot" || list[0].FrozenBy != "system" {
		t.Errorf("%+v", list)
	}
	var waiting []api.PendingGrant
	if s.Admin(t, "GET", "/admin/pending-grants?status=pending", nil, &waiting); len(waiting) != 0 {
		t.Errorf("left behind %+v", waiting)
	}
}

// No value leaves after the record of a freeze, however many fetches are under
// way.
func TestFreezeStopsRunningFetches(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	stop := make(chan struct{})
	var fetchers sync.WaitGroup
	for range 8 {
		fetchers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					a.Fetch(t, "app", token)
				}
			}
		})
	}
	for range 20 {
		a.Values(t, "app", token)
	}
	freeze(t, s, api.KindAgent, "bot")
	answer := a.Fetch(t, "app", token)
	close(stop)
	fetchers.Wait()
	wantError(t, answer, http.StatusUnauthorized, api.Unauthorized)
	var rows []api.AuditRow
	s.Admin(t, "GET", "/admin/audit-logs?limit=1000", nil, &rows)
	frozen := slices.IndexFunc(rows, func(r api.AuditRow) bool { return r.Action == "freeze" })
	if frozen < 0 {
		t.Fatal("no record of the freeze")
	}
	for _, r := range rows[:frozen] {
		if r.Action == "get_secrets" && r.Status == "success" {
			t.Errorf("row %d delivers after row %d froze", r.Seq, rows[frozen].Seq)
		}
	}
}

// Templates are withheld as values are: the template itself, what it uses, and
// all of the project.
func TestFreezeStopsTemplates(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	s.SecretWith(t, map[string]any{"key_path": "page", "secret_type": "TEMPLATE_CONFIG", "value": "p={{db/password}}"})
	token := a.Obtain(t, "app", "PASSWORD").Token
	for _, tc := range []struct {
		kind, name string
		status     int
	}{
		{api.KindSecret, "page", http.StatusForbidden},
		{api.KindSecret, "db/password", http.StatusUnprocessableEntity},
		{api.KindProject, "app", http.StatusUnauthorized},
		{api.KindAgent, "bot", http.StatusUnauthorized},
	} {
		if answer := a.Config(t, "app", "page", token); string(answer.Body) != "p=hunter22" {
			t.Fatalf("before: %d %s", answer.Status, answer.Body)
		}
		freeze(t, s, tc.kind, tc.name)
		if answer := a.Config(t, "app", "page", token); answer.Status != tc.status {
			t.Errorf("%s %s: %d %s", tc.kind, tc.name, answer.Status, answer.Body)
		}
		unfreeze(t, s, tc.kind, tc.name)
	}
}
