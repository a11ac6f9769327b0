package server_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A cast is who acts in the story: accounts, and agents with their daemons.
type cast struct {
	tokens map[string]string // of accounts, and of the projects of agents
	agents map[string]*servertest.Agent
	keys   map[string]string // public halves of SSH keys, by their comments
}

func newCast(s *servertest.Server) cast {
	return cast{
		tokens: map[string]string{"": s.AdminToken},
		keys:   map[string]string{},
		agents: map[string]*servertest.Agent{
			"bot": {ID: "bot", Key: storyKey(0), Attestation: storyKey(1)},
			"ci":  {ID: "ci", Key: storyKey(2), Attestation: storyKey(3)},
		},
	}
}

// storyKey returns a key whose public half is in the examples.
func storyKey(n int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(n*ed25519.SeedSize + i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

// agent returns the agent of a step.
func (c cast) agent(t *testing.T, st step) *servertest.Agent {
	t.Helper()
	a := c.agents[st.who]
	if a == nil {
		t.Fatalf("x-story: %s: as which agent?", st)
	}
	return a
}

// show adds the credentials that a step's operation asks for to its request.
func (c cast) show(t *testing.T, st step, schemes []string, r *servertest.Request) {
	t.Helper()
	for _, scheme := range schemes {
		switch scheme {
		case "admin":
			r.Header.Set("X-Admin-Token", c.tokens[st.who])
		case "device":
			r.Header.Set("Authorization", "Bearer "+c.agent(t, st).AccessToken)
		case "project":
			r.Header.Set("Authorization", "Bearer "+c.tokens[st.who])
		case "attestation":
			if c.agent(t, st).SessionID == "" {
				continue // a server that asks for none
			}
			c.attest(t, st, schemes, r)
		}
	}
}

// showBadly adds a credential that is not good.
func showBadly(scheme string, h http.Header) {
	switch scheme {
	case "admin":
		h.Set("X-Admin-Token", "not the admin token")
	case "attestation":
		forged := servertest.Agent{SessionID: "none", Attestation: storyKey(0)}
		h.Set("X-Daemon-Attestation", forged.Sign(http.MethodGet, "/", nil, "nobody"))
	default:
		h.Set("Authorization", "Bearer nonsense")
	}
}

// attest has the daemon of a step's agent sign its request.
func (c cast) attest(t *testing.T, st step, schemes []string, r *servertest.Request) {
	t.Helper()
	a := c.agent(t, st)
	id := proof.AgentTokenID(a.ID)
	if len(schemes) > 1 { // with a project token
		id = proof.AuthTokenID(c.tokens[st.who])
	}
	u, err := url.Parse(r.Path)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := r.Body.([]byte)
	r.Header.Set("X-Daemon-Attestation", a.Sign(r.Method, u.Path, body, id))
}

// remember keeps the credentials that an answer gave.
func (c cast) remember(t *testing.T, st step, a servertest.Answer) {
	t.Helper()
	var got struct {
		Name, Token string // of a log-in

		AccessToken  string `json:"access_token"`
		SessionID    string `json:"session_id"`
		ProjectToken string `json:"project_token"`
		PublicKey    string `json:"public_key"`
	}
	if a.Status/100 != http.StatusOK/100 || json.Unmarshal(a.Body, &got) != nil {
		return
	}
	if _, comment, ok := strings.Cut(strings.TrimPrefix(got.PublicKey, "ssh-ed25519 "), " "); ok {
		c.keys[comment] = got.PublicKey
	}
	if got.Token != "" {
		c.tokens[got.Name] = got.Token
	}
	if got.ProjectToken != "" {
		c.tokens[st.who] = got.ProjectToken
	}
	if got.AccessToken != "" {
		c.agent(t, st).AccessToken = got.AccessToken
	}
	if got.SessionID != "" {
		c.agent(t, st).SessionID = got.SessionID
	}
}
