package blackbox

import (
	"crypto/ed25519"
	"maps"
	"net/http"
	"time"
)

// An agent is a registered one with its host.
type agent struct {
	v      *vault
	id     string
	key    ed25519.PrivateKey
	source string // where its host is

	login   string // the device's access token
	session string // the daemon's, "" without
	daemon  ed25519.PrivateKey
}

// register registers an agent of the default namespace.
func (v *vault) register(id string) *agent {
	v.t.Helper()
	return v.registerIn(id, "default")
}

func (v *vault) registerIn(id, namespace string) *agent {
	v.t.Helper()
	a := &agent{v: v, id: id, key: newKey(v.t), source: anywhere()}
	v.admin("POST", "/admin/agents", object{"agent_id": id, "agent_pub": public(a.key), "namespace": namespace}).want(http.StatusCreated)
	return a
}

// enrolled registers an agent, whose daemon attests itself if it has to.
func (v *vault) enrolled(id string) *agent {
	v.t.Helper()
	return v.register(id).enrol()
}

func (a *agent) enrol() *agent {
	a.v.t.Helper()
	if a.v.attested {
		a.logIn()
		a.attest().want(http.StatusOK)
	}
	return a
}

// send sends a request of the agent's host.
func (a *agent) send(method, path string, body any, headers ...string) answer {
	a.v.t.Helper()
	return a.v.send(method, path, body, append(headers, "X-Forwarded-For: "+a.source)...)
}

// logIn goes through the device flow.
func (a *agent) logIn() {
	a.v.t.Helper()
	begun := a.send("POST", "/device/authorize", object{"client_id": "cortex-cli"}).want(http.StatusOK).object()
	a.v.admin("POST", "/admin/web/device/approve", object{"user_code": begun["user_code"], "agent_id": a.id}).want(http.StatusOK)
	token := a.poll(begun["device_code"]).want(http.StatusOK).object()
	a.login = token["access_token"].(string)
}

// poll asks whether a device was approved.
func (a *agent) poll(deviceCode any) answer {
	a.v.t.Helper()
	return a.send("POST", "/device/token", object{"device_code": deviceCode, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"})
}

// attest opens a session for a daemon that has just begun.
func (a *agent) attest() answer {
	a.v.t.Helper()
	key := newKey(a.v.t)
	got := a.send("POST", "/daemon/attest", object{
		"attestation_pub": public(key), "binary_sha256": sum([]byte("daemon")), "daemon_version": "0.1.0",
		"daemon_pid": 4242, "daemon_uid": 1000, "hostname": "host-of-" + a.id,
	}, "Authorization: Bearer "+a.login)
	if got.status == http.StatusOK {
		a.daemon, a.session = key, got.object()["session_id"].(string)
	}
	return got
}

// attested returns the header of a request as lines, none without a session.
func (a *agent) attested(method, path string, body []byte, tokenID string) []string {
	if a.session == "" {
		return nil
	}
	return []string{"X-Daemon-Attestation: " + attestation(a.daemon, a.session, time.Now().Unix(), hexNonce(16), method, path, body, tokenID)}
}

// discovery returns the body of a request, signed now.
func (a *agent) discovery(project, env string) object {
	return a.discoveryAt(time.Now(), project, env)
}

func (a *agent) discoveryAt(at time.Time, project, env string) object {
	ts, nonce := at.Unix(), hexNonce(8)
	return object{
		"agent_id": a.id, "ts": ts, "nonce": nonce, "auth_proof": authProof(a.key, ts, nonce, a.id),
		"context": object{"project_name": project, "file_content": env},
	}
}

// post sends a discovery.
func (a *agent) post(discovery object) answer {
	a.v.t.Helper()
	body := asJSON(a.v.t, discovery)
	return a.send("POST", "/agent/discover", body, a.attested("POST", "/agent/discover", body, "agent:"+a.id)...)
}

// discover asks for the names in the text of a file. More members are added.
func (a *agent) discover(project, env string, more ...object) answer {
	a.v.t.Helper()
	d := a.discovery(project, env)
	for _, o := range more {
		maps.Copy(d, o)
	}
	return a.post(d)
}

// obtain discovers, has the administrator approve, and discovers again.
func (a *agent) obtain(project, env string, more ...object) object {
	a.v.t.Helper()
	pending := a.discover(project, env).wantError(http.StatusForbidden, "pending_approval").object()
	a.v.approve(pending["details"].(object)["grant_id"])
	return a.discover(project, env, more...).want(http.StatusOK).object()
}

func (v *vault) approve(grant any) {
	v.t.Helper()
	v.admin("POST", "/admin/pending-grants/"+grant.(string)+"/approve", object{}).want(http.StatusOK)
}

// project sends a request of a project.
func (a *agent) project(path string, bearer any, headers ...string) answer {
	a.v.t.Helper()
	headers = append(headers, "Authorization: Bearer "+bearer.(string))
	return a.send("GET", path, nil, append(headers, a.attested("GET", path, nil, tokenID(a.v.t, bearer.(string)))...)...)
}

// fetch asks for the values of a project.
func (a *agent) fetch(project string, bearer any, headers ...string) answer {
	a.v.t.Helper()
	return a.project("/project/secrets/"+project, bearer, headers...)
}

// values are those of a fetch that has to work.
func (a *agent) values(project string, bearer any) object {
	a.v.t.Helper()
	return a.fetch(project, bearer).want(http.StatusOK).object()["env_vars"].(object)
}
