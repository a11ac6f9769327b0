package daemon_test

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// accessToken is the one device access token the vault knows.
const accessToken = "access.token.of-bot"

// A vault speaks the routes a daemon uses, and checks every signature.
type vault struct {
	t      *testing.T
	server *httptest.Server
	agent  ed25519.PublicKey

	mu       sync.Mutex // guards what follows
	secrets  map[string]string
	pending  []string // names that a person must approve first
	sessions map[string]ed25519.PublicKey
	tokens   map[string]map[string][]string // project, token, names
	seen     map[string]bool                // attestations
	calls    map[string]int                 // by route
	asked    []api.DiscoverRequest
	callers  []http.Header
	attests  []api.AttestRequest
	withheld []string             // names that are mapped and not delivered
	masking  string               // of the project
	commands string               // so, too
	pins     []pinned.Pin         // of commands
	told     []pinned.Command     // that values were asked for
	decided  chan struct{}        // a decision waits for it
	verdict  string               // what it is; if empty, approved
	lifetime time.Duration        // of tokens; if 0, as the real one has it
	refuse   map[string]api.Error // routes that refuse
	gate     chan struct{}        // if there, discover waits for it
	entered  chan struct{}        // told when a discover has begun
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{
		t: t, secrets: map[string]string{"OPENAI_API_KEY": "sk-canary", "OTHER_KEY": "other-canary"},
		sessions: map[string]ed25519.PublicKey{}, tokens: map[string]map[string][]string{}, seen: map[string]bool{},
		calls: map[string]int{}, refuse: map[string]api.Error{}, entered: make(chan struct{}, 100),
	}
	v.server = httptest.NewServer(v.handler())
	t.Cleanup(v.server.Close)
	return v
}

func (v *vault) handler() http.Handler {
	mux := http.NewServeMux()
	for route, h := range map[string]func(*http.Request, []byte) (any, *api.Error){
		"POST /daemon/attest":                   v.attest,
		"POST /agent/discover":                  v.discover,
		"GET /agent/pending-grants/{id}":        v.decision,
		"GET /project/secrets/{project}":        v.fetch,
		"POST /project/secrets/{project}":       v.fetch,
		"POST /project/config/{project}/{path}": v.config,
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			switch route {
			case "POST /agent/discover":
				v.wait()
			case "GET /agent/pending-grants/{id}":
				<-v.decided
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.calls[route]++
			answer, problem := any(nil), (*api.Error)(nil)
			if refused, ok := v.refuse[route]; ok {
				problem = &refused
			} else {
				answer, problem = h(r, body)
			}
			w.Header().Set("Content-Type", "application/json")
			if problem != nil {
				if problem.RetryAfter > 0 {
					w.Header().Set("Retry-After", fmt.Sprint(int(problem.RetryAfter.Seconds())))
				}
				w.WriteHeader(problem.Status)
				answer = problem
			}
			json.NewEncoder(w).Encode(answer)
		})
	}
	return mux
}

func (v *vault) wait() {
	v.mu.Lock()
	gate := v.gate
	v.mu.Unlock()
	if gate != nil {
		v.entered <- struct{}{}
		<-gate
	}
}

func refusal(status int, code api.Code, text string) *api.Error {
	return &api.Error{Status: status, Code: code, Message: text}
}

var unauthorized = refusal(http.StatusUnauthorized, api.Unauthorized, "authentication failed")

func (v *vault) attest(r *http.Request, body []byte) (any, *api.Error) {
	var in api.AttestRequest
	if json.Unmarshal(body, &in) != nil || r.Header.Get("Authorization") != "Bearer "+accessToken {
		return nil, unauthorized
	}
	pub, err := proof.DecodeKeyURL(in.AttestationPub)
	if err != nil || len(in.BinarySHA256) != 64 {
		return nil, refusal(http.StatusBadRequest, api.InvalidRequest, "bad request")
	}
	id := uuid.NewString()
	v.sessions = map[string]ed25519.PublicKey{id: pub} // a new one ends the old ones
	v.attests = append(v.attests, in)
	return api.AttestResponse{SessionID: id, ExpiresIn: 86400}, nil
}

// attested checks the attestation of a request.
func (v *vault) attested(r *http.Request, body []byte, tokenID string) bool {
	a, err := proof.ParseAttestation(r.Header.Get("X-Daemon-Attestation"))
	if err != nil {
		return false
	}
	pub, ok := v.sessions[a.SessionID]
	if !ok || v.seen[a.JTI] || a.BodySHA256 != proof.BodyHash(body) || a.AuthTokenID != tokenID ||
		time.Since(time.Unix(a.TS, 0)).Abs() > 5*time.Minute || !ed25519.Verify(pub, a.Message(r.Method, r.URL.Path), a.Signature) {
		return false
	}
	v.seen[a.JTI] = true
	return true
}

func (v *vault) discover(r *http.Request, body []byte) (any, *api.Error) {
	var in api.DiscoverRequest
	if json.Unmarshal(body, &in) != nil || in.TS == nil || in.Nonce == nil || !v.attested(r, body, proof.AgentTokenID(in.AgentID)) {
		return nil, unauthorized
	}
	sig, err := proof.DecodeSignature(in.AuthProof)
	if err != nil || !ed25519.Verify(v.agent, proof.AgentMessage(*in.TS, *in.Nonce, in.AgentID), sig) {
		return nil, unauthorized
	}
	v.asked = append(v.asked, in)
	names, err := dotenv.Names(in.Context.FileContent)
	if err != nil {
		return nil, refusal(http.StatusBadRequest, api.InvalidRequest, err.Error())
	}
	project := in.Context.ProjectName
	if i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(v.pending, n) }); i >= 0 {
		e := refusal(http.StatusForbidden, api.PendingApproval, "waiting for approval")
		e.Details = &api.Details{GrantID: "grant-1", RequestedKeys: names, AgentID: in.AgentID, ProjectName: project}
		return nil, e
	}
	if len(v.tokens[project]) > 0 && (in.RegenerateToken == nil || !*in.RegenerateToken) {
		return nil, refusal(http.StatusConflict, api.Conflict, "active token")
	}
	t := string(token.Random().Reveal())
	v.tokens[project] = map[string][]string{t: names}
	unmatched := slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, ok := v.secrets[n]; return ok })
	return api.DiscoverResponse{UnmatchedKeys: unmatched, Masking: v.masking, Commands: v.commands, ProjectToken: api.NewValue([]byte(t)), TokenExpiresAt: api.NewTime(time.Now().Add(cmp.Or(v.lifetime, 14*24*time.Hour)))}, nil
}

func (v *vault) fetch(r *http.Request, body []byte) (any, *api.Error) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	names, known := v.tokens[r.PathValue("project")][bearer]
	if !ok || !known || !v.attested(r, body, proof.AuthTokenID(bearer)) {
		return nil, unauthorized
	}
	pin, refused := v.allow(body)
	if refused != nil {
		return nil, refused
	}
	v.callers = append(v.callers, r.Header.Clone())
	vars, withheld := map[string]api.Value{}, []string(nil)
	for _, n := range names {
		if slices.Contains(v.withheld, n) {
			withheld = append(withheld, n)
		} else if s, ok := v.secrets[n]; ok {
			vars[n] = api.NewValue(bytes.Clone([]byte(s)))
		}
	}
	return api.ProjectSecrets{EnvVars: vars, Withheld: withheld, Commands: v.commands, Pin: pin}, nil
}

// allow tells whether values may leave for the command in a body.
func (v *vault) allow(body []byte) (*api.AllowedPin, *api.Error) {
	why := "the daemon does not say what it runs"
	var in struct{ Command json.RawMessage }
	if json.Unmarshal(body, &in) == nil && in.Command != nil {
		c, err := pinned.ParseCommand(in.Command)
		if err != nil || string(c.Encode()) != string(in.Command) {
			return nil, refusal(http.StatusBadRequest, api.InvalidRequest, "no command")
		}
		v.told = append(v.told, c)
		var i int
		if i, why = pinned.Match(v.pins, c); i >= 0 {
			return &api.AllowedPin{ID: fmt.Sprint("pin-", i), Env: v.pins[i].Environment(), Sealed: v.pins[i].Sealed}, nil
		}
	}
	if v.commands != api.CommandsEnforce {
		return nil, nil
	}
	e := refusal(http.StatusForbidden, api.CommandNotPinned, "this command was not approved: "+why)
	e.Details = &api.Details{PinID: fmt.Sprint("pin-", len(v.pins)), Why: why}
	return nil, e
}

// config renders a template, which is its own path.
func (v *vault) config(r *http.Request, body []byte) (any, *api.Error) {
	if _, refused := v.allow(body); refused != nil {
		return nil, refused
	}
	return r.PathValue("path"), nil
}

// decision tells that somebody has decided, once that is so.
func (v *vault) decision(*http.Request, []byte) (any, *api.Error) {
	return api.GrantStatus{Status: cmp.Or(v.verdict, api.StatusApproved)}, nil
}

// do changes the vault.
func (v *vault) do(fn func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fn()
}

// count returns how often a route was called.
func (v *vault) count(route string) (all int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for r, n := range v.calls {
		if strings.Contains(r, route) {
			all += n
		}
	}
	return all
}

func (v *vault) wantCalls(attest, discover, fetch int) {
	v.t.Helper()
	got := fmt.Sprint(v.count("attest"), v.count("discover"), v.count("secrets"))
	if want := fmt.Sprint(attest, discover, fetch); got != want {
		v.t.Errorf("calls of attest, discover, secrets: %s, want %s", got, want)
	}
}
