package proof

import (
	"strconv"
	"strings"
)

// A DeviceInit is what a host says when it asks to be let in as an agent, and
// signs with the agent's key: that it has that key, which agent it wants to be,
// and which server it talks to.
type DeviceInit struct {
	Nonce     string
	TS        int64 // Unix seconds
	AgentID   string
	AgentPub  string // in URL-safe base64 without padding
	Namespace string // may be empty
	Hostname  string
	// Origin is the server's URL as the host knows it: scheme, host and port.
	Origin string
}

// Message returns the bytes to sign:
// device-init|nonce|ts|agentID|agentPub|namespace|hostname|origin.
func (d DeviceInit) Message() []byte {
	return join("device-init", d.Nonce, number(d.TS), d.AgentID, d.AgentPub, d.Namespace, d.Hostname, d.Origin)
}

// PollMessage returns the bytes that a host signs with the agent's key when it
// asks whether it was let in: poll|deviceCode|ts.
func PollMessage(deviceCode string, ts int64) []byte { return join("poll", deviceCode, number(ts)) }

// A DaemonInit is what a daemon says of itself and signs with the agent's key
// when it opens a session.
type DaemonInit struct {
	Nonce          string
	TS             int64 // Unix seconds
	AgentID        string
	AttestationPub string // in URL-safe base64 without padding
	BinarySHA256   string
	BootID         string // of the host
	StartedAt      int64  // of the process, Unix seconds
	PID            int64
}

// Message returns the bytes to sign:
// daemon-attest|nonce|ts|agentID|attestationPub|binarySHA256|bootID|startedAt|pid.
func (d DaemonInit) Message() []byte {
	return join("daemon-attest", d.Nonce, number(d.TS), d.AgentID, d.AttestationPub, d.BinarySHA256, d.BootID, number(d.StartedAt), number(d.PID))
}

// join puts bars between fields. None of them may hold a bar: [Plain] says so,
// and what else is signed has its own, narrower set of characters.
func join(fields ...string) []byte { return []byte(strings.Join(fields, "|")) }

func number(n int64) string { return strconv.FormatInt(n, 10) }

// Plain reports whether s can stand in a signed message as it is: at most longest
// bytes of printable ASCII without a bar.
func Plain(s string, longest int) bool {
	return inSet(s, 0, longest, func(c byte) bool { return c >= ' ' && c < 0x7f && c != '|' })
}
