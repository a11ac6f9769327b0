package blackbox

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// An oldDaemon does what the older daemon does, as far as a server or a file
// can tell.
type oldDaemon struct {
	oldCLI
	agentID string
	key     ed25519.PrivateKey

	attestation ed25519.PrivateKey
	session     string
	cache       map[string]cachedToken
}

type cachedToken struct {
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
}

// start begins a daemon's process: with what the login left behind, and a key
// of its own. It attests itself this once.
func (c oldCLI) start() (*oldDaemon, error) {
	c.v.t.Helper()
	var login struct {
		AccessToken string `json:"access_token"`
	}
	c.read("daemon-session.json", &login)
	id := claims(c.v.t, login.AccessToken)["sub"].(string)
	d := &oldDaemon{oldCLI: c, agentID: id, key: c.key(id), attestation: newKey(c.v.t), cache: map[string]cachedToken{}}
	var got struct {
		SessionID string `json:"session_id"`
	}
	err := c.v.send("POST", "/daemon/attest", object{
		"attestation_pub": public(d.attestation), "binary_sha256": sum([]byte("an older daemon")), "daemon_version": "0.1.0",
		"daemon_pid": os.Getpid(), "daemon_uid": os.Getuid(), "hostname": "old-host",
	}, "Authorization: Bearer "+login.AccessToken).old(&got)
	d.session = got.SessionID
	c.read("daemon-projects.json", &d.cache)
	return d, err
}

// read reads a JSON file; one that is not there is empty.
func (c oldCLI) read(name string, into any) {
	c.v.t.Helper()
	b, err := os.ReadFile(c.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err = errors.Join(err, json.Unmarshal(b, into)); err != nil {
		c.v.t.Fatal(err)
	}
}

// waiting is what it makes of "pending_approval".
type waiting struct {
	grantID string
	keys    []string
}

// Error is what the command line prints.
func (w waiting) Error() string { return fmt.Sprintf("waiting for %s: %q", w.grantID, w.keys) }

// run gets what a program would be started with. A token that turns out to be
// no good is replaced once.
func (d *oldDaemon) run(project, env string) (map[string]string, error) {
	d.v.t.Helper()
	token, err := d.token(project, env)
	if err != nil {
		return nil, err
	}
	values, err := d.fetch(project, token)
	if err == nil || !d.outdated(err) {
		return values, err
	}
	delete(d.cache, project)
	d.save()
	if token, err = d.token(project, env); err != nil {
		return nil, err
	}
	return d.fetch(project, token)
}

// outdated looks for these words anywhere in an error.
func (d *oldDaemon) outdated(err error) bool {
	text := err.Error()
	return strings.Contains(text, "401") || strings.Contains(text, "token_expired") || strings.Contains(text, "token_revoked")
}

// token returns the token that is kept of a project, or asks for one.
func (d *oldDaemon) token(project, env string) (string, error) {
	kept, ok := d.cache[project]
	end, err := time.Parse(time.RFC3339, kept.ExpiresAt)
	if err != nil {
		end, err = time.Parse("2006-01-02 15:04:05", kept.ExpiresAt)
	}
	if ok && err == nil && time.Until(end) > time.Minute {
		return kept.Token, nil
	}
	return d.discover(project, env)
}

func (d *oldDaemon) discover(project, env string) (string, error) {
	d.v.t.Helper()
	ts, nonce := time.Now().Unix(), hexNonce(8)
	body := asJSON(d.v.t, object{
		"agent_id": d.agentID, "auth_proof": authProof(d.key, ts, nonce, d.agentID), "ts": ts, "nonce": nonce,
		"context": object{"project_name": project, "file_content": env}, "regenerate_token": false,
	})
	var got struct {
		Token     string   `json:"project_token"`
		ExpiresAt string   `json:"token_expires_at"`
		None      []string `json:"unmatched_keys"`
		Code      string   `json:"error_code"`
		Details   struct {
			GrantID string   `json:"grant_id"`
			Keys    []string `json:"requested_keys"`
		} `json:"details"`
	}
	err := d.v.send("POST", "/agent/discover", body, d.headers("POST", "/agent/discover", body, "agent:"+d.agentID)...).old(&got)
	switch {
	case got.Code == "pending_approval":
		return "", waiting{got.Details.GrantID, got.Details.Keys}
	case err != nil:
		return "", err
	}
	d.cache[project] = cachedToken{got.Token, got.ExpiresAt}
	d.save()
	return got.Token, nil
}

func (d *oldDaemon) save() {
	d.v.t.Helper()
	d.write(d.file("daemon-projects.json"), asJSON(d.v.t, d.cache))
}

func (d *oldDaemon) fetch(project, token string) (map[string]string, error) {
	d.v.t.Helper()
	path := "/project/secrets/" + project
	var got struct {
		EnvVars map[string]string `json:"env_vars"`
	}
	headers := append(d.headers("GET", path, nil, tokenID(d.v.t, token)), "Authorization: Bearer "+token)
	err := d.v.send("GET", path, nil, headers...).old(&got)
	return got.EnvVars, err
}

// headers are those of every request: the attestation, and what the daemon
// says of itself.
func (d *oldDaemon) headers(method, path string, body []byte, tokenID string) []string {
	return []string{
		"X-Daemon-Attestation: " + attestation(d.attestation, d.session, time.Now().Unix(), hexNonce(16), method, path, body, tokenID),
		fmt.Sprintf("X-Cortex-Caller-Pid: %d", os.Getpid()), "X-Cortex-Caller-Binary-Sha256: " + sum([]byte("an older daemon")),
		"X-Cortex-Caller-Argv-Hash: " + sum([]byte("cortex-daemon")), "X-Cortex-Caller-Cwd: /home/dev",
		"X-Cortex-Caller-Git-Commit: 0123456789abcdef0123456789abcdef01234567", "X-Cortex-Hostname: old-host", "X-Cortex-Os: linux/x86_64",
	}
}
