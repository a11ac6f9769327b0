package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// elsewhere has what there is in a namespace that an account may not see, and
// for each the like of it that there is nowhere.
type elsewhere map[string][2]string

const noID = "00000000-0000-4000-8000-000000000000"

// furnish puts one of everything into the default namespace.
func furnish(t *testing.T, s *servertest.Server) elsewhere {
	t.Helper()
	made := func(path string, body any) string {
		var out map[string]any
		s.Admin(t, "POST", path, body, &out)
		id, _ := out["id"].(string)
		return id
	}
	there := elsewhere{"namespace": {"default", "nowhere"}, "agent": {"their-bot", "no-bot"}, "project": {"their-app", "no-app"}, "path": {"their/key", "no/key"}, "frozen": {"their-held", "no-held"}}
	keep := func(name, id string) { there[name] = [2]string{id, noID} }
	secret, gone, more := s.Secret(t, "their/key", "sk-value"), s.Secret(t, "gone", "sk-value"), s.Secret(t, "more", "sk-value")
	s.Admin(t, "DELETE", "/admin/secrets/"+gone, nil, nil)
	keep("secret", secret)
	keep("deleted", gone)
	keep("more", more)
	keep("grant", s.Grant(t, "their-app", secret))
	keep("policy", made("/admin/policies", api.CreatePolicy{PolicyName: "theirs", AgentPattern: "*", Namespace: "default", AllowedPaths: []string{}, DeniedPaths: []string{"x"}}))
	keep("channel", made("/admin/notification-channels", map[string]any{
		"channel_type": "slack", "name": "theirs", "config": map[string]string{"webhook_url": "https://127.0.0.1:1/x"}, "namespaces": []string{"default"},
	}))
	made("/admin/allowed-daemon-versions", map[string]string{"binary_sha256": servertest.BinarySHA256})
	there["sha"] = [2]string{servertest.BinarySHA256, strings.Repeat("cd", 32)}

	bot := s.Enrol(t, "their-bot")
	keep("session", bot.SessionID)
	token := bot.Obtain(t, "their-app", "KEY").Token
	for name, variable := range map[string]string{"pending": "MORE", "denied": "MORE"} {
		var e api.Error
		bot.Send(t, bot.Discovery(name, variable)).JSON(t, &e)
		keep(name, e.Details.GrantID)
	}
	s.Admin(t, "PUT", "/admin/projects/their-app/settings", map[string]string{"commands": "enforce"}, nil)
	var refused api.Error
	bot.FetchFor(t, "their-app", token, forCommand("x")).JSON(t, &refused)
	keep("pin", refused.Details.PinID)
	s.Register(t, "their-held")
	made("/admin/freeze", map[string]string{"kind": "agent", "name": "their-held"})
	for _, name := range []string{"code", "denied_code"} {
		host := s.Host(t, "new-"+name)
		host.Begin(t, host.Init())
		there[name] = [2]string{host.UserCode, "BCDF-2345"}
	}
	return there
}

// outside are requests about what is elsewhere. Each is good, in this order, for
// whoever is not confined.
const outside = `
GET /admin/secrets?namespace={namespace}
GET /admin/agents?namespace={namespace}
GET /admin/projects?namespace={namespace}
GET /admin/projects/{project}/grants
GET /admin/projects/{project}/grants?namespace={namespace}
GET /admin/projects/{project}/settings
GET /admin/projects/{project}/settings?namespace={namespace}
GET /admin/projects/{project}/pins
GET /admin/projects/{project}/pins?namespace={namespace}
GET /admin/audit-logs?agent={agent}
GET /admin/secrets/{secret}
GET /admin/secrets/{secret}/versions
GET /admin/secrets/{secret}/shares
GET /admin/notification-channels/{channel}/dead-letters
PUT /admin/secrets/{secret} {"description":"x"}
POST /admin/secrets/{secret}/rollback {"version":1}
POST /admin/secrets/{secret}/shares {"namespace":"prod","key_path":"shared"}
DELETE /admin/secrets/{secret}/shares/prod
POST /admin/secrets/{more}/shares {"namespace":"team"}
DELETE /admin/secrets/{more}/shares/team
POST /admin/secrets/{deleted}/undelete
POST /admin/secrets/{deleted}/destroy
PUT /admin/projects/{project}/settings {"token_ttl_seconds":3600}
PUT /admin/projects/{project}/settings?namespace={namespace} {"token_ttl_seconds":3600}
POST /admin/projects/other/grants {"secret_id":"{secret}"}
POST /admin/projects/another/grants {"secret_id":"{secret}","namespace":"{namespace}"}
POST /admin/projects/{project}/pins {"pin":{"dirs":["/srv"]}}
POST /admin/projects/{project}/pins?namespace={namespace} {"pin":{"dirs":["/srv"]}}
POST /admin/projects/their-app/pins/{pin}/approve {}
POST /admin/projects/their-app/pins/{pin}/deny
DELETE /admin/projects/their-app/pins/{pin}
POST /admin/pending-grants/{pending}/approve {}
POST /admin/pending-grants/{denied}/deny
DELETE /admin/pending-grants/{denied}
POST /admin/freeze {"kind":"agent","name":"{agent}"}
POST /admin/unfreeze {"kind":"agent","name":"{agent}"}
POST /admin/freeze {"kind":"agent","name":"{agent}","namespace":"{namespace}"}
POST /admin/unfreeze {"kind":"agent","name":"{agent}","namespace":"{namespace}"}
POST /admin/freeze {"kind":"project","name":"{project}"}
POST /admin/unfreeze {"kind":"project","name":"{project}"}
POST /admin/freeze {"kind":"project","name":"{project}","namespace":"{namespace}"}
POST /admin/freeze {"kind":"secret","name":"{path}"}
POST /admin/freeze {"kind":"secret","id":"{more}"}
POST /admin/freeze {"kind":"secret","name":"{path}","namespace":"{namespace}"}
POST /admin/freeze {"kind":"namespace","name":"{namespace}"}
POST /admin/unfreeze {"kind":"namespace","name":"{namespace}"}
POST /admin/unfreeze {"kind":"agent","name":"{frozen}"}
PUT /admin/notification-channels/{channel} {"enabled":true}
POST /admin/notification-channels/{channel}/test
POST /admin/notification-channels/{channel}/dead-letters/retry
DELETE /admin/notification-channels/{channel}
POST /admin/web/device/lookup {"user_code":"{code}"}
POST /admin/web/device/approve {"user_code":"{code}","agent_id":"new-code"}
POST /admin/web/device/deny {"user_code":"{denied_code}"}
DELETE /admin/daemon-sessions/{session}
DELETE /admin/devices/{agent}
DELETE /admin/devices/{agent}?namespace={namespace}
DELETE /admin/allowed-daemon-versions/{sha}
POST /admin/allowed-daemon-versions {"binary_sha256":"{sha}"}
DELETE /admin/projects/{project}/grants/{grant}
POST /admin/projects/{project}/revoke
POST /admin/projects/{project}/revoke?namespace={namespace}
DELETE /admin/projects/{project}
DELETE /admin/policies/{policy}
DELETE /admin/secrets/{more}
DELETE /admin/agents/{agent}
DELETE /admin/agents/{frozen}?namespace={namespace}`

// What is outside of an account's namespaces answers as what there is not.
func TestOutsideIsNowhere(t *testing.T) {
	t.Parallel()
	s := servertest.With(t, servertest.Config{Unlimited: true})
	there := furnish(t, s)
	for _, name := range []string{"prod", "team"} {
		s.Admin(t, "POST", "/admin/namespaces", map[string]string{"name": name}, nil)
	}
	token := logIn(t, s, "eve", "admin", "prod")
	for line := range strings.SplitSeq(strings.TrimSpace(outside), "\n") {
		real := ask(t, s, token, line, there, func(string) bool { return true })
		for name := range there {
			if !strings.Contains(line, "{"+name+"}") {
				continue
			}
			unreal := ask(t, s, token, line, there, func(n string) bool { return n != name })
			if real != unreal {
				t.Errorf("%s\n%s\nand with a %s that is nowhere:\n%s", line, real, name, unreal)
			}
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(outside), "\n") {
		if got := ask(t, s, s.AdminToken, line, there, func(string) bool { return true }); !strings.HasPrefix(got, "2") {
			t.Errorf("%s, by who is not confined: %s", line, got)
		}
	}
}

// ask sends a request with the real names of what is elsewhere, or others, and
// returns the whole answer with placeholders in their place.
func ask(t *testing.T, s *servertest.Server, token, line string, there elsewhere, real func(name string) bool) string {
	t.Helper()
	var to, back []string
	for name, pair := range there {
		value := pair[1]
		if real(name) {
			value = pair[0]
		}
		to, back = append(to, "{"+name+"}", value), append(back, value, "{"+name+"}")
	}
	method, rest, _ := strings.Cut(strings.NewReplacer(to...).Replace(line), " ")
	path, body, _ := strings.Cut(rest, " ")
	h := http.Header{"X-Admin-Token": {token}}
	if body != "" {
		h.Set("Content-Type", "application/json")
	}
	a := s.Do(t, servertest.Request{Method: method, Path: path, Header: h, Body: body})
	a.Header.Del("Date")
	a.Header.Del("X-Request-Id")
	a.Header.Del("Content-Length")
	var text strings.Builder
	fmt.Fprintln(&text, a.Status)
	_ = a.Header.Write(&text)
	return text.String() + strings.NewReplacer(back...).Replace(string(a.Body))
}
