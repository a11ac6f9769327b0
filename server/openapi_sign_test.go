package server_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// A message is a body that an agent's key signs.
type message map[string]any

func (m message) text(name string) string { s, _ := m[name].(string); return s }

func (m message) number(name string) int64 { n, _ := m[name].(float64); return int64(n) }

// signedOver says what the members that are signatures are made over.
var signedOver = map[string]func(agentID string, m message) []byte{
	"auth_proof": func(_ string, m message) []byte {
		return proof.AgentMessage(m.number("ts"), m.text("nonce"), m.text("agent_id"))
	},
	"poll_proof": func(_ string, m message) []byte { return proof.PollMessage(m.text("device_code"), m.number("poll_ts")) },
	"init_proof": func(agentID string, m message) []byte {
		return proof.DeviceInit{
			Nonce: m.text("init_nonce"), TS: m.number("init_ts"), AgentID: agentID, AgentPub: m.text("agent_pub"),
			Namespace: m.text("namespace"), Hostname: m.text("hostname"), Origin: m.text("origin"),
		}.Message()
	},
	"agent_proof": func(agentID string, m message) []byte {
		return proof.DaemonInit{
			Nonce: m.text("nonce"), TS: m.number("ts"), AgentID: agentID, AttestationPub: m.text("attestation_pub"),
			BinarySHA256: m.text("binary_sha256"), BootID: m.text("boot_id"), StartedAt: m.number("started_at"), PID: m.number("daemon_pid"),
		}.Message()
	},
}

// sign makes anew what is of the moment in the body of a step.
func (c cast) sign(t *testing.T, st step, text []byte) []byte {
	t.Helper()
	m := message{}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for name := range m {
		switch name {
		case "ts", "init_ts", "poll_ts", "started_at":
			m[name] = float64(time.Now().Unix())
		case "nonce", "init_nonce":
			m[name] = rand.Text()
		case "assertion":
			m[name] = assertion(t, c.agent(t, st).ID, c.agent(t, st).Key)
		}
	}
	if m["host_key"] != nil {
		c.logIn(t, m)
	}
	if entries, ok := m["entries"].([]any); ok {
		c.journal(t, st, entries)
	}
	for name, message := range signedOver {
		if m[name] != nil {
			a := c.agent(t, st)
			m[name] = proof.EncodeSignature(ed25519.Sign(a.Key, message(a.ID, m)))
		}
	}
	return encodeJSON(t, m)
}

// journal makes entries anew that have a signature.
func (c cast) journal(t *testing.T, st step, entries []any) {
	t.Helper()
	for i := range entries {
		part := strings.Split(entries[i].(string), "|")
		if len(part) != 7 {
			continue
		}
		part[3] = strconv.FormatInt(time.Now().Unix(), 10)
		text := strings.Join(part[:6], "|")
		entries[i] = text + "|" + proof.EncodeSignature(ed25519.Sign(c.agent(t, st).Attestation, []byte("offline-use|"+text)))
	}
}

func assertion(t *testing.T, agentID string, key ed25519.PrivateKey) string {
	t.Helper()
	text, err := token.MintAssertion(keySigner(key), token.NewAssertion(agentID, rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A keySigner signs with a key in ordinary memory.
type keySigner ed25519.PrivateKey

func (k keySigner) Public() ed25519.PublicKey {
	return ed25519.PrivateKey(k).Public().(ed25519.PublicKey)
}

func (k keySigner) Sign(message []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(k), message), nil
}
