package identity

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// A Host is what a host says of itself when it asks to be let in as an agent:
// printable ASCII without a bar, or nothing.
type Host struct {
	// Origin is the server's URL as the host knows it: scheme, host and port.
	Origin string
	// Namespace is the agent's; empty for whichever the approver picks.
	Namespace string
	// Name is what the host is called.
	Name string
	// OS and Version say what it runs.
	OS, Version string
}

// ProveDevice returns the request that begins a log-in, with the proof that this
// host has the agent's key.
func (k Key) ProveDevice(h Host) (api.DeviceAuthorizeRequest, error) {
	d := proof.DeviceInit{
		Nonce: rand.Text(), TS: time.Now().Unix(), AgentID: k.AgentID, AgentPub: proof.EncodeKey(k.Public()),
		Namespace: h.Namespace, Hostname: h.Name, Origin: h.Origin,
	}
	sig, err := k.signature(d.Message())
	return api.DeviceAuthorizeRequest{
		ClientID: "cortex-cli", AgentID: &d.AgentID, AgentPub: &d.AgentPub, Namespace: d.Namespace, Hostname: d.Hostname,
		OS: h.OS, CLI: h.Version, Origin: d.Origin, Nonce: &d.Nonce, TS: &d.TS, Proof: &sig,
	}, err
}

// ProvePoll returns the request that asks whether a log-in was approved. Servers
// that know no proofs do not look at the one in it.
func (k Key) ProvePoll(deviceCode api.Value) (api.DeviceTokenRequest, error) {
	ts := time.Now().Unix()
	sig, err := k.signature(proof.PollMessage(string(deviceCode.Reveal()), ts))
	return api.DeviceTokenRequest{DeviceCode: deviceCode, GrantType: api.GrantTypeDeviceCode, PollTS: &ts, PollProof: &sig}, err
}

// Assert returns the request for an access token by the agent's key alone
// (RFC 7523). It is good once, and for a minute.
func (k Key) Assert() (api.DeviceTokenRequest, error) {
	text, err := token.MintAssertion(k, token.NewAssertion(k.AgentID, uuid.NewString()))
	return api.DeviceTokenRequest{GrantType: api.GrantTypeAssertion, Assertion: api.NewValue([]byte(text))}, err
}

// ProveDaemon returns the request with which a daemon opens a session, signed
// anew. BootID, StartedAt and DaemonPID must be there.
func (k Key) ProveDaemon(in api.AttestRequest) (api.AttestRequest, error) {
	in.Nonce, in.TS = new(rand.Text()), new(time.Now().Unix())
	sig, err := k.signature(proof.DaemonInit{
		Nonce: *in.Nonce, TS: *in.TS, AgentID: k.AgentID, AttestationPub: in.AttestationPub, BinarySHA256: in.BinarySHA256,
		BootID: *in.BootID, StartedAt: *in.StartedAt, PID: *in.DaemonPID,
	}.Message())
	in.AgentProof = &sig
	return in, err
}

// signature returns the key's signature over a message, as it travels.
func (k Key) signature(message []byte) (string, error) {
	sig, err := k.Sign(message)
	if err != nil {
		return "", fmt.Errorf("signing as agent %s: %w", k.AgentID, err)
	}
	return proof.EncodeSignature(sig), nil
}
