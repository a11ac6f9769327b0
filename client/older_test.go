package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Older servers reject in plain text, or without a word, what their framework
// does not let through.
func TestOlderServersRejections(t *testing.T) {
	for _, row := range []struct {
		status      int
		contentType string
		body, text  string
	}{
		{400, "text/plain; charset=utf-8", "Failed to parse the request body as JSON: key must be a string at line 1 column 2", "Failed to parse the request body as JSON: key must be a string at line 1 column 2"},
		{413, "text/plain; charset=utf-8", "length limit exceeded", "length limit exceeded"},
		{415, "text/plain; charset=utf-8", "Expected request with `Content-Type: application/json`", "Expected request with `Content-Type: application/json`"},
		{422, "text/plain; charset=utf-8", "Failed to deserialize the JSON body into the target type: missing field `value` at line 1 column 20", "missing field `value`"},
		{404, "", "", "answered 404 Not Found"},
		{405, "", "", "answered 405 Method Not Allowed"},
	} {
		c := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if row.status == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", "GET,HEAD")
			}
			fixed(row.status, row.contentType, row.body)(w, r)
		})
		for name, call := range map[string]func() error{
			"admin": func() error { _, err := c.CreateSecret(t.Context(), api.CreateSecret{}); return err },
			"device": func() error {
				_, err := c.DeviceAuthorize(t.Context(), api.DeviceAuthorizeRequest{ClientID: "cortex-cli"})
				return err
			},
			"discover": func() error { _, err := c.Discover(t.Context(), api.DiscoverRequest{}, nil); return err },
			"fetch": func() error {
				_, err := c.ProjectSecrets(t.Context(), "p", opaque.New([]byte("t")), nil, CallerContext{})
				return err
			},
		} {
			err := call()
			e, ok := errors.AsType[*api.Error](err)
			if !ok || e.Status != row.status || e.Code != "" || !strings.Contains(e.Message, row.text) {
				t.Errorf("%d, %s: %#v", row.status, name, err)
			}
			for _, code := range []api.Code{api.AuthorizationPending, api.PendingApproval, api.TokenExpired, api.TokenRevoked} {
				if errors.Is(err, code) {
					t.Errorf("%d, %s: taken for %s", row.status, name, code)
				}
			}
		}
	}
}

// The codes that older servers do send are understood, and their free text
// beside.
func TestOlderServersErrors(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		code   api.Code
	}{
		{401, `{"error":"Authorization pending","error_code":"authorization_pending"}`, api.AuthorizationPending},
		{401, `{"error":"Project token expired","error_code":"token_expired"}`, api.TokenExpired},
		{401, `{"error":"Project token revoked","error_code":"token_revoked"}`, api.TokenRevoked},
		{401, `{"error":"Unauthorized"}`, ""},
		{403, `{"error":"x","error_code":"project_no_agent_binding"}`, api.ProjectNoAgentBinding},
		{403, `{"error":"x","error_code":"binary_disabled"}`, api.BinaryDisabled},
		{409, `{"error":"Project already has an active token"}`, ""},
		{429, `{"error":"Rate limit exceeded"}`, ""},
		{500, `{"error":"Internal server error"}`, ""},
	} {
		_, err := answering(t, fixed(row.status, "application/json", row.body)).DeviceToken(t.Context(), api.DeviceTokenRequest{DeviceCode: api.NewValue([]byte("dc"))})
		e, ok := errors.AsType[*api.Error](err)
		if !ok || e.Status != row.status || e.Code != row.code || e.Message == "" || e.RetryAfter != 0 {
			t.Errorf("%d %s: %#v", row.status, row.body, err)
		}
	}
}

// An answer that lacks what it is for is no answer: an empty token must not
// travel on, and a program must not start without its credentials.
func TestAnswersThatLackSomething(t *testing.T) {
	token := opaque.New([]byte("t"))
	calls := map[string]func(*Client) error{
		"device_code": func(c *Client) error {
			_, err := c.DeviceAuthorize(t.Context(), api.DeviceAuthorizeRequest{ClientID: "cortex-cli"})
			return err
		},
		"access_token":  func(c *Client) error { _, err := c.DeviceToken(t.Context(), api.DeviceTokenRequest{}); return err },
		"session_id":    func(c *Client) error { _, err := c.Attest(t.Context(), token, api.AttestRequest{}); return err },
		"project_token": func(c *Client) error { _, err := c.Discover(t.Context(), api.DiscoverRequest{}, nil); return err },
		"env_vars": func(c *Client) error {
			_, err := c.ProjectSecrets(t.Context(), "p", token, nil, CallerContext{})
			return err
		},
	}
	for name, call := range calls {
		for _, body := range []string{`{}`, `null`, `{"` + name + `":null}`, `{"status":"ok"}`} {
			if err := call(answering(t, fixed(200, "application/json", body))); !errors.Is(err, ErrAnswer) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s from %s: %v", name, body, err)
			}
		}
	}
	none := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"env_vars":{}}`) }
	if got, err := answering(t, none).ProjectSecrets(t.Context(), "p", token, nil, CallerContext{}); err != nil || len(got.Values) != 0 {
		t.Errorf("a project without secrets: %v, %v", got, err)
	}
}
