package servertest

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A Host is an agent's host that proves to have the agent's key.
type Host struct {
	// Agent is what it is once it was let in.
	*Agent
	// Namespace, Hostname and Origin are what it says of itself.
	Namespace, Hostname, Origin string
	// DeviceCode and UserCode are those of the log-in that it began last.
	DeviceCode, UserCode string
}

// Host returns a host with a new key, which wants to be an agent.
func (s *Server) Host(t testing.TB, id string) *Host {
	t.Helper()
	return &Host{Agent: &Agent{ID: id, Key: vaulttest.NewKey(t), Attestation: vaulttest.NewKey(t), server: s}, Hostname: "host-of-" + id, Origin: cmp.Or(s.URL, "http://vault.test")}
}

// Init returns the body that begins a log-in, signed now.
func (h *Host) Init() api.DeviceAuthorizeRequest {
	d := proof.DeviceInit{
		Nonce: rand.Text(), TS: time.Now().Unix(), AgentID: h.ID, AgentPub: vaulttest.Public(h.Key), Namespace: h.Namespace, Hostname: h.Hostname, Origin: h.Origin,
	}
	return api.DeviceAuthorizeRequest{
		ClientID: "cortex-cli", AgentID: &d.AgentID, AgentPub: &d.AgentPub, Namespace: d.Namespace, Hostname: d.Hostname,
		OS: "linux/amd64", CLI: "1.0", Origin: d.Origin, Nonce: &d.Nonce, TS: &d.TS,
		Proof: new(proof.EncodeSignature(ed25519.Sign(h.Key, d.Message()))),
	}
}

// Begin begins a log-in, and keeps its codes if that went well.
func (h *Host) Begin(t testing.TB, body api.DeviceAuthorizeRequest) Answer {
	t.Helper()
	answer := h.server.Do(t, Request{Method: http.MethodPost, Path: "/device/authorize", Body: body})
	if answer.Status == http.StatusOK {
		var begun struct {
			DeviceCode string `json:"device_code"`
			UserCode   string `json:"user_code"`
		}
		answer.JSON(t, &begun)
		h.DeviceCode, h.UserCode = begun.DeviceCode, begun.UserCode
	}
	return answer
}

// Poll asks whether the log-in was approved, with a proof, and keeps the access
// token if it was.
func (h *Host) Poll(t testing.TB) Answer {
	t.Helper()
	ts := time.Now().Unix()
	return h.keep(t, h.server.Do(t, Request{Method: http.MethodPost, Path: "/device/token", Body: map[string]any{
		"device_code": h.DeviceCode, "grant_type": api.GrantTypeDeviceCode, "poll_ts": ts,
		"poll_proof": proof.EncodeSignature(ed25519.Sign(h.Key, proof.PollMessage(h.DeviceCode, ts))),
	}}))
}

// Assert asks for an access token with an assertion by the agent's key, and keeps
// it.
func (h *Host) Assert(t testing.TB, a token.Assertion) Answer {
	t.Helper()
	text, err := token.MintAssertion(signer{h.Key}, a)
	if err != nil {
		t.Fatal(err)
	}
	return h.keep(t, h.server.Do(t, Request{Method: http.MethodPost, Path: "/device/token", Body: map[string]any{
		"grant_type": api.GrantTypeAssertion, "assertion": text,
	}}))
}

func (h *Host) keep(t testing.TB, answer Answer) Answer {
	if answer.Status == http.StatusOK {
		var out struct {
			AccessToken string `json:"access_token"`
		}
		answer.JSON(t, &out)
		h.AccessToken = out.AccessToken
	}
	return answer
}

// A signer signs with a key in ordinary memory.
type signer struct{ key ed25519.PrivateKey }

func (s signer) Public() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

func (s signer) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key, message), nil }

// AttestBody returns the body that opens a session with a proof, signed now.
func (h *Host) AttestBody() api.AttestRequest {
	d := proof.DaemonInit{
		Nonce: rand.Text(), TS: time.Now().Unix(), AgentID: h.ID, AttestationPub: vaulttest.Public(h.Attestation), BinarySHA256: BinarySHA256,
		BootID: "4c1a3d0e-boot", StartedAt: time.Now().Unix(), PID: 4242,
	}
	return api.AttestRequest{
		AttestationPub: d.AttestationPub, BinarySHA256: d.BinarySHA256, DaemonPID: &d.PID, Hostname: &h.Hostname,
		Nonce: &d.Nonce, TS: &d.TS, BootID: &d.BootID, StartedAt: &d.StartedAt,
		AgentProof: new(proof.EncodeSignature(ed25519.Sign(h.Key, d.Message()))),
	}
}

// AttestWith opens a session, and keeps it if that went well.
func (h *Host) AttestWith(t testing.TB, body api.AttestRequest) Answer {
	t.Helper()
	answer := h.server.Do(t, Request{
		Method: http.MethodPost, Path: "/daemon/attest", Header: http.Header{"Authorization": {"Bearer " + h.AccessToken}}, Body: body,
	})
	if answer.Status == http.StatusOK {
		var session api.AttestResponse
		answer.JSON(t, &session)
		h.SessionID = session.SessionID
	}
	return answer
}
