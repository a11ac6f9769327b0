package blackbox

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// An oldCLI does what the older command line does, as far as a server, a
// daemon or a file can tell.
type oldCLI struct {
	v    *vault
	home string
}

func (c oldCLI) file(name string) string { return filepath.Join(c.home, ".cortex", name) }

// write writes a file as it does: by the umask, and private a moment later.
func (c oldCLI) write(path string, content []byte) {
	c.v.t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644), os.Chmod(path, 0o600))
	if err != nil {
		c.v.t.Fatal(err)
	}
}

// genKey makes an agent's key and prints the public half.
func (c oldCLI) genKey(agentID string) string {
	c.v.t.Helper()
	key := newKey(c.v.t)
	c.write(c.file("agent-"+agentID+".key"), []byte(b64(key.Seed())))
	return public(key)
}

// key reads an agent's key.
func (c oldCLI) key(agentID string) ed25519.PrivateKey {
	c.v.t.Helper()
	text, err := os.ReadFile(c.file("agent-" + agentID + ".key"))
	if err != nil {
		c.v.t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(decoded(c.v.t, string(text)))
}

// login shows a code before each poll, and gives up at anything that is
// neither a token nor "pending".
func (c oldCLI) login(shown func(poll int, userCode string)) error {
	c.v.t.Helper()
	var begun struct {
		DeviceCode      string  `json:"device_code"`
		UserCode        string  `json:"user_code"`
		VerificationURI *string `json:"verification_uri"`
		Interval        uint64  `json:"interval"`
	}
	if err := c.v.send("POST", "/device/authorize", object{"client_id": "cortex-cli"}).old(&begun); err != nil {
		return err
	}
	for poll := 1; ; poll++ {
		shown(poll, begun.UserCode)
		time.Sleep(time.Duration(begun.Interval) * time.Second)
		a := c.v.send("POST", "/device/token", object{"device_code": begun.DeviceCode, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"})
		var got struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int64  `json:"expires_in"`
			Code        string `json:"error_code"`
		}
		err := a.old(&got)
		if err != nil && got.Code == "authorization_pending" {
			continue
		}
		if err != nil {
			return err
		}
		c.write(c.file("daemon-session.json"), asJSON(c.v.t, object{"access_token": got.AccessToken, "expires_in": got.ExpiresIn, "server_url": c.v.url}))
		return nil
	}
}

// old reads an answer as older clients do: an error is the status and the body.
func (a answer) old(into any) error {
	err := json.Unmarshal(a.body, into)
	if a.status/100 != 2 {
		return fmt.Errorf("%d: %s", a.status, a.body)
	}
	return err
}

// discover asks for a token without a daemon, prints it and keeps it.
func (c oldCLI) discover(project, agentID, env string, regenerate bool) (string, error) {
	c.v.t.Helper()
	ts, nonce := time.Now().Unix(), hexNonce(8)
	var got struct {
		Token   string   `json:"project_token"`
		Expires string   `json:"token_expires_at"`
		TTL     int64    `json:"token_ttl_seconds"`
		Full    bool     `json:"full_matched"`
		None    []string `json:"unmatched_keys"`
	}
	err := c.v.send("POST", "/agent/discover", object{
		"agent_id": agentID, "auth_proof": authProof(c.key(agentID), ts, nonce, agentID), "ts": ts, "nonce": nonce,
		"context": object{"project_name": project, "file_content": env}, "regenerate_token": regenerate,
	}).old(&got)
	if err == nil {
		c.write(filepath.Join(c.home, ".cortex-token-"+project), []byte(got.Token))
	}
	return got.Token, err
}
