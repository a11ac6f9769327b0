package blackbox

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var (
	uuid4   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	utcTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)
)

// Clients parse ids and times: all of them have the one form.
func TestIDsAndTimesHaveOneForm(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		if s.login == "" {
			s.logIn()
			s.attest().want(http.StatusOK)
		}
		s.values(s.app, s.obtain(s.app, s.env())["project_token"])
		for _, list := range []string{
			"secrets", "agents", "policies", "projects", "projects/" + s.app + "/grants", "namespaces", "audit-logs", "notification-channels", "devices", "pending-grants",
			"allowed-daemon-versions", "daemon-sessions",
		} {
			var rows []object
			v.admin("GET", "/admin/"+list, nil).want(http.StatusOK).into(&rows)
			for _, row := range rows {
				for name, value := range row {
					text, ok := value.(string)
					if form := formOf(name); ok && form != nil && !form.MatchString(text) {
						v.t.Errorf("%s: %s is %q", list, name, text)
					}
				}
			}
		}
	})
}

// formOf returns the form of a member, nil if it may have any.
func formOf(name string) *regexp.Regexp {
	switch {
	case name == "id" || name == "session_id" || name == "kid":
		return uuid4
	case name == "timestamp" || strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "_until"):
		return utcTime
	}
	return nil
}

// Every route that answers GET answers HEAD, without a body; OPTIONS is
// answered everywhere.
func TestHeadAndOptions(t *testing.T) {
	each(t, func(v *vault) {
		for _, path := range []string{"/health", "/.well-known/jwks.json", "/device", "/admin/secrets", "/admin/audit-logs", "/admin/namespaces"} {
			get, head := v.admin("GET", path, nil).want(http.StatusOK), v.admin("HEAD", path, nil).want(http.StatusOK)
			if len(head.body) != 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
				v.t.Errorf("%s: %q, %v", path, head.body, head.header)
			}
		}
		for _, path := range []string{"/admin/secrets", "/project/secrets/x", "/nothing/at/all"} {
			a := v.send("OPTIONS", path, nil, "Origin: https://elsewhere.example", "Access-Control-Request-Method: GET").want(http.StatusOK)
			if len(a.body) != 0 || a.header.Get("Access-Control-Allow-Origin") != "" {
				v.t.Errorf("%s: %q, %v", path, a.body, a.header)
			}
		}
	})
}
