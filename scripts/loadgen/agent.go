package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cortex-auth/cortex/vault/proof"
)

// An agent is enrolled, its daemon attested, and it has the token of a project
// with ten secrets.
type agent struct {
	addr       string
	key        ed25519.PrivateKey // the agent's
	daemon     ed25519.PrivateKey // its daemon's
	access     string             // the device's token
	session    string
	token      string
	authorised string // what an attestation calls the token
}

const agentID, project = "bot", "app"

// enrol goes through everything that a daemon, its agent and the administrator
// do, over the API.
func enrol(addr string) (*agent, error) {
	a := &agent{addr: addr}
	var errs [2]error
	_, a.key, errs[0] = ed25519.GenerateKey(nil)
	_, a.daemon, errs[1] = ed25519.GenerateKey(nil)
	return a, errors.Join(errs[0], errs[1], a.login(), a.attest(), a.stock(), a.discover())
}

// login registers the agent and logs its device in.
func (a *agent) login() error {
	var begun struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	var got struct {
		Token string `json:"access_token"`
	}
	return steps(
		func() error {
			return admin(a.addr, "POST", "/admin/agents", object{"agent_id": agentID, "agent_pub": public(a.key)}, nil)
		},
		func() error {
			return call(a.addr, "POST", "/device/authorize", nil, object{"client_id": "cortex-cli"}, &begun)
		},
		func() error {
			return admin(a.addr, "POST", "/admin/web/device/approve", object{"user_code": begun.UserCode, "agent_id": agentID}, nil)
		},
		func() error {
			in := object{"device_code": begun.DeviceCode, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}
			return call(a.addr, "POST", "/device/token", nil, in, &got)
		},
		func() error { a.access = got.Token; return nil },
	)
}

// attest opens the daemon's session.
func (a *agent) attest() error {
	var got struct {
		Session string `json:"session_id"`
	}
	in := object{"attestation_pub": public(a.daemon), "binary_sha256": strings.Repeat("ab", 32), "hostname": "bench"}
	err := call(a.addr, "POST", "/daemon/attest", http.Header{"Authorization": {"Bearer " + a.access}}, in, &got)
	a.session = got.Session
	return err
}

// stock makes ten secrets of 64 bytes and grants them to the project.
func (a *agent) stock() error {
	for i := range 10 {
		var made struct {
			ID string `json:"id"`
		}
		in := object{"key_path": fmt.Sprintf("secret_%d", i), "secret_type": "KEY_VALUE", "value": (rand.Text() + rand.Text() + rand.Text())[:64]}
		if err := admin(a.addr, "POST", "/admin/secrets", in, &made); err != nil {
			return err
		}
		if err := admin(a.addr, "POST", "/admin/projects/"+project+"/grants", object{"secret_id": made.ID}, nil); err != nil {
			return err
		}
	}
	return nil
}

// discover obtains the project's token: asks, has what is pending approved, and
// asks again.
func (a *agent) discover() error {
	if err := a.ask(nil); err == nil {
		return errors.New("nobody had to approve")
	}
	if err := approvePending(a.addr); err != nil {
		return err
	}
	var got struct {
		Token string `json:"project_token"`
	}
	err := a.ask(&got)
	a.token, a.authorised = got.Token, proof.AuthTokenID(got.Token)
	return err
}

// approvePending approves, as the administrator, whatever waits for that.
func approvePending(addr string) error {
	var pending []struct {
		ID string `json:"id"`
	}
	if err := admin(addr, "GET", "/admin/pending-grants", nil, &pending); err != nil {
		return err
	}
	for _, p := range pending {
		if err := admin(addr, "POST", "/admin/pending-grants/"+p.ID+"/approve", object{}, nil); err != nil {
			return err
		}
	}
	return nil
}

// ask sends a discovery of the ten names.
func (a *agent) ask(out any) error {
	var names strings.Builder
	for i := range 10 {
		fmt.Fprintf(&names, "SECRET_%d=\n", i)
	}
	ts, nonce := time.Now().Unix(), rand.Text()
	body, err := json.Marshal(object{
		"agent_id": agentID, "ts": ts, "nonce": nonce,
		"auth_proof": proof.EncodeSignature(ed25519.Sign(a.key, proof.AgentMessage(ts, nonce, agentID))),
		"context":    object{"project_name": project, "file_content": names.String()},
	})
	if err != nil {
		return err
	}
	h := http.Header{"X-Daemon-Attestation": {a.sign("POST", "/agent/discover", body, proof.AgentTokenID(agentID))}}
	return call(a.addr, "POST", "/agent/discover", h, json.RawMessage(body), out)
}

// sign returns the attestation of a request, with an id of its own.
func (a *agent) sign(method, path string, body []byte, authorised string) string {
	at := proof.Attestation{
		SessionID: a.session, TS: time.Now().Unix(), JTI: rand.Text(), BodySHA256: proof.BodyHash(body), AuthTokenID: authorised,
	}
	at.Signature = ed25519.Sign(a.daemon, at.Message(method, path))
	return at.Header()
}

// fetches returns a source of n fetches, signed already: the daemons that sign
// them are on other machines. When they are used up more are signed one by one.
func (a *agent) fetches(n int) func() ([]byte, bool) {
	ready := make([][]byte, n)
	for i := range ready {
		ready[i] = a.fetch()
	}
	var next atomic.Int64
	return func() ([]byte, bool) {
		if i := next.Add(1) - 1; int(i) < n {
			return ready[i], true
		}
		return a.fetch(), true
	}
}

// fetch returns one request for the ten values.
func (a *agent) fetch() []byte {
	const path = "/project/secrets/" + project
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nX-Daemon-Attestation: %s\r\n\r\n",
		path, a.addr, a.token, a.sign("GET", path, nil, a.authorised))
}

// An object is a JSON object.
type object map[string]any

func public(key ed25519.PrivateKey) string { return proof.EncodeKey(key.Public().(ed25519.PublicKey)) }

// steps runs functions until one fails.
func steps(fns ...func() error) error {
	for _, fn := range fns {
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}

// admin is call for the administrator.
func admin(addr, method, path string, in, out any) error {
	return call(addr, method, path, http.Header{"X-Admin-Token": {adminToken}}, in, out)
}

// call sends a request and decodes the answer into out, if it is not nil. An
// answer outside 2xx is an error.
func call(addr, method, path string, h http.Header, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
		if raw, ok := in.(json.RawMessage); ok {
			body.Reset()
			body.Write(raw) // it is signed as it is
		}
	}
	req, err := http.NewRequest(method, "http://"+addr+path, &body)
	if err != nil {
		return err
	}
	for name, values := range h {
		req.Header[name] = values
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
