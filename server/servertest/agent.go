package servertest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// BinarySHA256 is what the daemons of this package say they are.
var BinarySHA256 = strings.Repeat("ab", 32)

// An Agent is an enrolled agent with its attested daemon.
type Agent struct {
	// ID is the agent's id.
	ID string
	// Key is the agent's, Attestation its daemon's.
	Key, Attestation ed25519.PrivateKey
	// AccessToken is the device's; SessionID the daemon's, "" before [Agent.Attest].
	AccessToken, SessionID string

	server *Server
}

// Enrol registers an agent, logs its device in, and attests its daemon.
func (s *Server) Enrol(t testing.TB, agentID string) *Agent {
	t.Helper()
	a := s.Register(t, agentID)
	a.Login(t)
	if answer := a.Attest(t); answer.Status != http.StatusOK {
		t.Fatalf("attest: %d %s", answer.Status, answer.Body)
	}
	return a
}

// Register makes an agent's key and registers it, no more.
func (s *Server) Register(t testing.TB, agentID string) *Agent {
	t.Helper()
	a := &Agent{ID: agentID, Key: vaulttest.NewKey(t), Attestation: vaulttest.NewKey(t), server: s}
	s.RegisterAs(t, a)
	return a
}

// RegisterAs registers an agent under the id and key that it had.
func (s *Server) RegisterAs(t testing.TB, a *Agent) {
	t.Helper()
	s.Admin(t, http.MethodPost, "/admin/agents", api.CreateAgent{AgentID: a.ID, AgentPub: vaulttest.Public(a.Key)}, nil)
}

// Login goes through the device flow and keeps the access token.
func (a *Agent) Login(t testing.TB) {
	t.Helper()
	var begun struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	a.server.post(t, "/device/authorize", nil, map[string]string{"client_id": "cortex-cli"}, &begun)
	a.server.Admin(t, http.MethodPost, "/admin/web/device/approve", api.ApproveDevice{UserCode: begun.UserCode, AgentID: a.ID}, nil)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	a.server.post(t, "/device/token", nil, map[string]string{"device_code": begun.DeviceCode, "grant_type": api.GrantTypeDeviceCode}, &token)
	a.AccessToken = token.AccessToken
}

func (s *Server) post(t testing.TB, path string, h http.Header, body, out any) {
	t.Helper()
	answer := s.Do(t, Request{Method: http.MethodPost, Path: path, Header: h, Body: body})
	if answer.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, answer.Status, answer.Body)
	}
	answer.JSON(t, out)
}

// Attest opens a session with the daemon's key, and keeps it if that went
// well.
func (a *Agent) Attest(t testing.TB) Answer {
	t.Helper()
	host := "host-of-" + a.ID
	answer := a.server.Do(t, Request{
		Method: http.MethodPost, Path: "/daemon/attest",
		Header: http.Header{"Authorization": {"Bearer " + a.AccessToken}},
		Body:   api.AttestRequest{AttestationPub: vaulttest.Public(a.Attestation), BinarySHA256: BinarySHA256, Hostname: &host},
	})
	if answer.Status == http.StatusOK {
		var session api.AttestResponse
		answer.JSON(t, &session)
		a.SessionID = session.SessionID
	}
	return answer
}

// Sign returns the attestation header of a request, with a fresh id and the
// time of now. The path is without query, percent-decoded.
func (a *Agent) Sign(method, path string, body []byte, authTokenID string) string {
	att := proof.Attestation{
		SessionID: a.SessionID, TS: time.Now().Unix(), JTI: rand.Text(),
		BodySHA256: proof.BodyHash(body), AuthTokenID: authTokenID,
	}
	att.Signature = ed25519.Sign(a.Attestation, att.Message(method, path))
	return att.Header()
}

// A Discovery is the body of a discover request.
type Discovery struct {
	AgentID         string            `json:"agent_id,omitempty"`
	AuthProof       string            `json:"auth_proof,omitempty"`
	Context         map[string]string `json:"context,omitempty"`
	TS              *int64            `json:"ts,omitempty"`
	Nonce           *string           `json:"nonce,omitempty"`
	RegenerateToken *bool             `json:"regenerate_token,omitempty"`
	SignedToken     bool              `json:"signed_token,omitempty"`
}

// Discovery returns a request for the names, signed by the agent now.
func (a *Agent) Discovery(project string, names ...string) Discovery {
	ts, nonce := time.Now().Unix(), rand.Text()
	return Discovery{
		AgentID: a.ID, TS: &ts, Nonce: &nonce,
		AuthProof: proof.EncodeSignature(ed25519.Sign(a.Key, proof.AgentMessage(ts, nonce, a.ID))),
		Context:   map[string]string{"project_name": project, "file_content": strings.Join(names, "=\n") + "=\n"},
	}
}

// Send sends a discovery, attested if there is a session.
func (a *Agent) Send(t testing.TB, d Discovery) Answer {
	t.Helper()
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return a.SendRaw(t, body)
}

// SendRaw sends any text as a discovery, attested if there is a session.
func (a *Agent) SendRaw(t testing.TB, body []byte) Answer {
	t.Helper()
	h := http.Header{}
	if a.SessionID != "" {
		h.Set("X-Daemon-Attestation", a.Sign(http.MethodPost, "/agent/discover", body, proof.AgentTokenID(a.ID)))
	}
	return a.server.Do(t, Request{Method: http.MethodPost, Path: "/agent/discover", Header: h, Body: body})
}

// A Discovered is the answer to a discovery that went well.
type Discovered struct {
	MappedKeys    map[string]string `json:"mapped_keys"`
	FullMatched   bool              `json:"full_matched"`
	Token         string            `json:"project_token"`
	Expires       string            `json:"token_expires_at"`
	TTL           int64             `json:"token_ttl_seconds"`
	UnmatchedKeys []string          `json:"unmatched_keys"`
	Namespace     string            `json:"namespace"`
	Scope         []string          `json:"scope"`
	Signed        string            `json:"signed_project_token"`
}

// Discover asks for names. Anything but 200 ends the test.
func (a *Agent) Discover(t testing.TB, project string, names ...string) Discovered {
	t.Helper()
	answer := a.Send(t, a.Discovery(project, names...))
	if answer.Status != http.StatusOK {
		t.Fatalf("discover: %d %s", answer.Status, answer.Body)
	}
	var d Discovered
	answer.JSON(t, &d)
	return d
}

// Obtain asks for names, has the administrator approve what is pending, and
// asks again.
func (a *Agent) Obtain(t testing.TB, project string, names ...string) Discovered {
	t.Helper()
	answer := a.Send(t, a.Discovery(project, names...))
	if answer.Code() == string(api.PendingApproval) {
		var e api.Error
		answer.JSON(t, &e)
		a.server.Admin(t, http.MethodPost, "/admin/pending-grants/"+e.Details.GrantID+"/approve", struct{}{}, nil)
		return a.Discover(t, project, names...)
	}
	if answer.Status != http.StatusOK {
		t.Fatalf("discover: %d %s", answer.Status, answer.Body)
	}
	var d Discovered
	answer.JSON(t, &d)
	return d
}

// Fetch asks for a project's values with a token, attested if there is a
// session.
func (a *Agent) Fetch(t testing.TB, project, token string) Answer {
	t.Helper()
	h := http.Header{"Authorization": {"Bearer " + token}}
	if a.SessionID != "" {
		h.Set("X-Daemon-Attestation", a.Sign(http.MethodGet, "/project/secrets/"+project, nil, proof.AuthTokenID(token)))
	}
	return a.server.Do(t, Request{Method: http.MethodGet, Path: "/project/secrets/" + url.PathEscape(project), Header: h})
}

// FetchFor is Fetch for a command, as it stands in the body.
func (a *Agent) FetchFor(t testing.TB, project, token, body string) Answer {
	t.Helper()
	return a.Tell(t, "/project/secrets/"+project, token, body, body)
}

// Tell posts a body to a path for projects, with the attestation of one that may be
// another.
func (a *Agent) Tell(t testing.TB, path, token, body, attested string) Answer {
	t.Helper()
	h := http.Header{"Authorization": {"Bearer " + token}}
	if a.SessionID != "" {
		h.Set("X-Daemon-Attestation", a.Sign(http.MethodPost, path, []byte(attested), proof.AuthTokenID(token)))
	}
	return a.server.Do(t, Request{Method: http.MethodPost, Path: path, Header: h, Body: []byte(body)})
}

// Values asks for a project's values. Anything but 200 ends the test.
func (a *Agent) Values(t testing.TB, project, token string) map[string]string {
	t.Helper()
	answer := a.Fetch(t, project, token)
	if answer.Status != http.StatusOK {
		t.Fatalf("fetch: %d %s", answer.Status, answer.Body)
	}
	var out struct {
		EnvVars map[string]string `json:"env_vars"`
	}
	answer.JSON(t, &out)
	return out.EnvVars
}

// Secret keeps a secret in the default namespace and returns its id.
func (s *Server) Secret(t testing.TB, path, value string) string {
	t.Helper()
	return s.SecretWith(t, map[string]any{"key_path": path, "secret_type": "KEY_VALUE", "value": value})
}

// SecretWith keeps a secret as the body of the request says, and returns its
// id.
func (s *Server) SecretWith(t testing.TB, body map[string]any) string {
	t.Helper()
	var made api.CreatedSecret
	s.Admin(t, http.MethodPost, "/admin/secrets", body, &made)
	return made.ID
}

// Grant gives a project a secret and returns the grant's id.
func (s *Server) Grant(t testing.TB, project, secretID string) string {
	t.Helper()
	var made api.CreatedGrant
	s.Admin(t, http.MethodPost, "/admin/projects/"+url.PathEscape(project)+"/grants", api.CreateGrant{SecretID: secretID}, &made)
	return made.ID
}

// Config asks for a rendered template, attested if there is a session.
func (a *Agent) Config(t testing.TB, project, template, token string) Answer {
	t.Helper()
	h := http.Header{"Authorization": {"Bearer " + token}}
	if a.SessionID != "" {
		h.Set("X-Daemon-Attestation", a.Sign(http.MethodGet, "/project/config/"+project+"/"+template, nil, proof.AuthTokenID(token)))
	}
	return a.server.Do(t, Request{Method: http.MethodGet, Path: "/project/config/" + url.PathEscape(project) + "/" + url.PathEscape(template), Header: h})
}
