package command

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// vecSeed is the key file of the tests; vecPub its public half.
const (
	vecSeed = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	vecPub  = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
)

func verifyProof(p identity.Proof, agentID string) error {
	pub, err := proof.DecodeKey(vecPub)
	if err != nil {
		return err
	}
	sig, err := proof.DecodeSignature(p.AuthProof)
	if err != nil {
		return err
	}
	if !ed25519.Verify(pub, proof.AgentMessage(p.TS, p.Nonce, agentID), sig) {
		return errors.New("the proof does not verify")
	}
	return nil
}

const discovered = `{"mapped_keys":{"A":"a"},"full_matched":false,"project_token":"tok-123","token_expires_at":"2026-01-02 03:04:05","token_ttl_seconds":1209600,"unmatched_keys":["B","a b"],"namespace":"default","scope":["a"]}`

func TestDiscover(t *testing.T) {
	h := newHost(t)
	h.write(identity.Path(identity.Dir(), "bot"), vecSeed)
	var in api.DiscoverRequest
	url := serve(t, map[string]http.HandlerFunc{"POST /agent/discover": func(w http.ResponseWriter, r *http.Request) {
		in = api.DiscoverRequest{}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		if r.Header.Get("X-Daemon-Attestation") != "" {
			t.Error("attested")
		}
		answers(200, discovered)(w, r)
	}})
	args := []string{"discover", "--project", "my-app", "--url", url, "--agent-id", "bot"}

	r := h.run(args...).want(t, 0, "token expires 2026-01-02 03:04:05 UTC", `nothing for: B, "a b"`)
	if r.stdout != "tok-123\n" || in.Context.FileContent != "" || in.RegenerateToken != nil || in.SignedToken {
		t.Errorf("stdout %q, asked %+v", r.stdout, in)
	}
	if err := verifyProof(identity.Proof{TS: *in.TS, Nonce: *in.Nonce, AuthProof: in.AuthProof}, "bot"); err != nil {
		t.Error(err)
	}
	if entries, _ := filepath.Glob(filepath.Join(h.home, ".cortex-token*")); len(entries) != 0 {
		t.Errorf("wrote %v", entries)
	}

	h.write(".env.example", "EX=1\n")
	h.run(args...).want(t, 0)
	if in.Context.FileContent != "EX=\n" {
		t.Errorf(".env.example: sent %q", in.Context.FileContent)
	}
	h.write(".env", "# c\nA=sk-hush\nB='hush'\n")
	h.run(append(args, "--regenerate")...).want(t, 0)
	if in.Context.FileContent != "A=\nB=\n" || in.RegenerateToken == nil || !*in.RegenerateToken {
		t.Errorf(".env: sent %+v", in)
	}
	h.write("deploy.env", "D=")
	h.run(append(args, "--env-file", "deploy.env")...).want(t, 0)
	if in.Context.FileContent != "D=\n" {
		t.Errorf("--env-file: sent %q", in.Context.FileContent)
	}
	h.run(append(args, "--env-file", "none.env")...).want(t, 1, "none.env")
	h.write("bad.env", "hush\xff")
	if r := h.run(append(args, "--env-file", "bad.env")...).want(t, 1, "bad.env: line 1"); strings.Contains(r.stderr, "hush") {
		t.Errorf("the line was printed: %s", r.stderr)
	}

	r = h.run(append(args, "--json")...).want(t, 0)
	var out api.DiscoverResponse
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || string(out.ProjectToken.Reveal()) != "tok-123" || len(out.UnmatchedKeys) != 2 {
		t.Errorf("%s, %v", r.stdout, err)
	}

	h.run(append(args, "--save")...).want(t, 0, "token saved in")
	saved := filepath.Join(h.home, ".cortex-token-my-app")
	info, err := os.Stat(saved)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if b, _ := os.ReadFile(saved); string(b) != "tok-123" {
		t.Errorf("saved %q", b)
	}
}

func TestDiscoverRefused(t *testing.T) {
	h := newHost(t)
	h.write(identity.Path(identity.Dir(), "bot"), vecSeed)
	for name, row := range map[string]struct {
		status int
		body   string
		texts  []string
	}{
		"not attested": {401, `{"error":"authentication failed","error_code":"unauthorized"}`, []string{"attested daemons only", "CORTEX_DISABLE_REQUEST_SIGNING", "authentication failed", "hint: cortex daemon login --agent-id bot --url http://127.0.0.1:", "cortex run --project p"}},
		"active token": {409, `{"error":"active token"}`, []string{"active token", "hint: ", "--regenerate"}},
		"pending":      {403, `{"error":"wait","error_code":"pending_approval","details":{"grant_id":"g-1","requested_keys":["A","B"],"agent_id":"bot","project_name":"p"}}`, []string{"waits for an administrator", "g-1", "A, B", "hint: an administrator approves it with: cortex grant approve g-1 --url http://127.0.0.1:"}},
		"pending, old": {403, `{"error":"wait","error_code":"pending_approval"}`, []string{"waits for an administrator"}},
		"hostile id":   {403, `{"error":"wait","error_code":"pending_approval","details":{"grant_id":"'; rm -rf ~ #\u001b[2J","requested_keys":["a\u001b[2J"]}}`, []string{`hint: an administrator approves it on the server`}},
		"denied":       {403, `{"error":"no","error_code":"grant_denied"}`, []string{"project p: no", "hint: an administrator denied"}},
		"other agent":  {403, `{"error":"not yours","error_code":"project_agent_mismatch"}`, []string{"discover refused (403): not yours"}},
		"plain text":   {422, `missing field`, []string{"discover refused (422): missing field"}},
	} {
		url := serve(t, map[string]http.HandlerFunc{"POST /agent/discover": answers(row.status, row.body)})
		r := h.run("discover", "--project", "p", "--url", url, "--agent-id", "bot").want(t, 1, row.texts...)
		if r.stdout != "" || strings.Count(r.stderr, "\n") > 2 || strings.Contains(r.stderr, "\x1b") {
			t.Errorf("%s: stdout %q, stderr %q", name, r.stdout, r.stderr)
		}
	}
	h.run("discover", "--project", "p", "--url", "http://v.example", "--agent-id", "bot").want(t, 1, "plain http", "hint: ")
	h.run("discover", "--project", "p", "--url", "https://v.example", "--agent-id", "none").want(t, 1, "no key", "gen-key")
}
