package vault

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// A DeviceInit begins a log-in in which the host proves to have the agent's key.
// All but the key is its own word, and shown to whoever approves it.
type DeviceInit struct {
	proof.DeviceInit
	// OS and CLIVersion say what the host runs.
	OS, CLIVersion string
	// Proof is the signature over [proof.DeviceInit.Message], in base64.
	Proof string
}

// row returns what is kept of d, after verifying it.
func (d DeviceInit) row() (deviceRow, error) {
	if err := d.validate(); err != nil {
		return deviceRow{}, err
	}
	pub, err := proof.DecodeKeyURL(d.AgentPub)
	if err != nil {
		return deviceRow{}, invalid("agent_pub", "must be an Ed25519 public key in URL-safe base64 without padding")
	}
	sig, err := proof.DecodeSignatureURL(d.Proof)
	if err != nil || !ed25519.Verify(pub, d.Message(), sig) {
		return deviceRow{}, ErrUnauthorized
	}
	return deviceRow{
		Public: pub, Claim: d.AgentID, ClaimNS: d.Namespace, Hostname: d.Hostname, OS: d.OS, CLI: d.CLIVersion, Origin: d.Origin,
	}, nil
}

func (d DeviceInit) validate() error {
	if err := checkAgentID("agent_id", d.AgentID); err != nil {
		return err
	}
	if d.Namespace != "" {
		if err := checkName("namespace", d.Namespace); err != nil {
			return err
		}
	}
	if !proof.ValidNonce(d.Nonce) {
		return invalid("init_nonce", "must be 8 to 128 letters, digits, '_' or '-'")
	}
	for field, text := range map[string]string{"hostname": d.Hostname, "os": d.OS, "cli_version": d.CLIVersion, "origin": d.Origin} {
		if !proof.Plain(text, maxHostname) {
			return invalid(field, "must be at most %d printable ASCII characters without '|'", maxHostname)
		}
	}
	return nil
}

// message is the signed message for the list of those that were used. Whose key
// it is stands for whose message: the agent is not known yet.
func (d DeviceInit) message() message {
	return message{TS: d.TS, By: "key:" + d.AgentPub, Once: d.Nonce}
}

// A PollProof comes with a poll of a log-in that began with a proof.
type PollProof struct {
	TS int64 // Unix seconds
	// Proof is the signature over [proof.PollMessage], in URL-safe base64
	// without padding.
	Proof string
}

// good reports whether a poll shows what its log-in asks for.
func (p *PollProof) good(r deviceRow, code string) bool {
	if !r.proved() {
		return p == nil
	}
	if p == nil || p.TS < 0 || time.Since(time.Unix(p.TS, 0)).Abs() > skew {
		return false
	}
	sig, err := proof.DecodeSignatureURL(p.Proof)
	return err == nil && ed25519.Verify(r.Public, proof.PollMessage(code, p.TS), sig)
}

// A PendingDevice is what somebody who approves a log-in should look at.
type PendingDevice struct {
	UserCode string
	// Proved tells that the host has the agent's key; AgentID, Namespace and Key
	// are what it wants to be, and empty if it proved nothing.
	Proved             bool
	AgentID, Namespace string
	Key                ed25519.PublicKey
	// Hostname, OS and CLIVersion are the host's own word.
	Hostname, OS, CLIVersion string
	// Origin is the server's URL as the host knows it, for which it signed that it has
	// the key. Another one than the approver's is that of somebody who passes it all on.
	Origin string
	// Source is the address it asks from.
	Source           string
	Created, Expires time.Time
	// NewAgent tells that approving registers the agent; KeyChange that it gives
	// a known agent another key, and takes everything from who has the old one.
	NewAgent, KeyChange bool
}

// LookUpDevice returns the log-in that waits with a user code, else [ErrNotFound].
// It is recorded: whoever tries codes leaves traces.
func (v *Vault) LookUpDevice(ctx context.Context, by access.Caller, userCode string) (d PendingDevice, err error) {
	code, err := parseUserCode(userCode)
	if err != nil {
		return PendingDevice{}, err
	}
	err = v.do(ctx, by, record{action: access.DeviceLookup, resource: code}, func(o *op) error {
		row, err := o.pendingDevice(code)
		if err != nil {
			return err
		}
		o.record.agent = row.Claim
		d = PendingDevice{
			UserCode: row.UserCode, Proved: row.proved(), AgentID: row.Claim, Hostname: row.Hostname, OS: row.OS, CLIVersion: row.CLI,
			Origin: row.Origin, Source: row.Source, Created: nanos(row.Created), Expires: nanos(row.Expires),
		}
		if !row.proved() {
			o.anywhere()
			return nil
		}
		d.Key, d.Namespace = row.Public, namespaceOr(row.ClaimNS)
		if err := o.sees(d.Namespace); err != nil {
			return err
		}
		a, err := agentsByName.Get(o.Tx, store.Join(d.Namespace, row.Claim))
		d.NewAgent = isNotFound(err)
		d.KeyChange = err == nil && !slices.Equal(a.Public, row.Public)
		if d.NewAgent {
			err = nil
		}
		return err
	})
	return d, err
}

func parseUserCode(s string) (string, error) {
	code, ok := token.ParseUserCode(s)
	if !ok {
		return "", invalid("user_code", "must be as the device shows it, XXXX-XXXX")
	}
	return code, nil
}

// pendingDevice finds a log-in that waits.
func (o *op) pendingDevice(code string) (deviceRow, error) {
	row, err := devicesByUserCode.Get(o.Tx, store.Key(code))
	if err == nil && row.Expires <= o.now.UnixNano() {
		err = store.ErrNotFound
	}
	return row, err
}

// A DeviceApproval says which log-in may act for whom.
type DeviceApproval struct {
	UserCode string
	// AgentID is the agent that the approver means. Where the host proved a key
	// it has to be the one that it asked to be.
	AgentID string
	// Namespace is the agent's; empty for the only one its id stands in, or the
	// one that the host asked for, or the default one.
	Namespace string
	// KeyChange confirms that the agent gets another key.
	KeyChange bool
}

// ApproveDevice lets the device that shows a user code act for an agent. A code
// that is unknown, decided or too old is [ErrNotFound]. If the host proved its
// key, an agent that is not registered is made; for one that has another key, the
// approver has to say so and be allowed to change it, and what hung on the old
// key ends. In the bare form the agent must be registered, and must not have
// proved its key before: [ErrProofRequired].
func (v *Vault) ApproveDevice(ctx context.Context, by access.Caller, r DeviceApproval) (d Device, err error) {
	code, err := parseUserCode(r.UserCode)
	if err != nil {
		return Device{}, err
	}
	r.AgentID = strings.TrimSpace(r.AgentID)
	if err := checkAgentID("agent_id", r.AgentID); err != nil {
		return Device{}, err
	}
	err = v.do(ctx, by, record{action: access.DeviceApprove, agent: r.AgentID, resource: code}, func(o *op) error {
		row, err := o.pendingDevice(code)
		if err != nil {
			return err
		}
		var a agentRow
		if row.proved() {
			a, err = o.admitProved(row, r)
		} else {
			a, err = o.admitBare(r)
		}
		if err != nil {
			return err
		}
		o.record.about(a.ID, "namespace="+a.Namespace)
		row.Status, row.Approved = deviceApproved, o.now.UnixNano()
		row.Agent, row.AgentID, row.Namespace = a.ID, a.AgentID, a.Namespace
		d = row.device()
		return devices.Put(o.Tx, row)
	})
	return d, err
}

// admitBare returns the registered agent that a host may be without a proof.
func (o *op) admitBare(r DeviceApproval) (agentRow, error) {
	a, err := o.agent(r.Namespace, r.AgentID)
	if errors.Is(err, ErrNotFound) || isNotFound(err) {
		return agentRow{}, invalid("agent_id", "is not registered; register its public key first")
	}
	if err == nil && a.Proved {
		err = ErrProofRequired
	}
	return a, err
}

// admitProved returns the agent whose key a host has, registered or changed if
// need be.
func (o *op) admitProved(row deviceRow, r DeviceApproval) (agentRow, error) {
	ns := namespaceOr(cmp.Or(row.ClaimNS, r.Namespace))
	if err := o.sees(ns); err != nil {
		return agentRow{}, err
	}
	if r.AgentID != row.Claim {
		return agentRow{}, invalid("agent_id", "is not the agent that the device asked to be")
	}
	if row.ClaimNS != "" && r.Namespace != "" && r.Namespace != row.ClaimNS {
		return agentRow{}, invalid("namespace", "is not the one that the device asked for")
	}
	if err := checkName("namespace", ns); err != nil {
		return agentRow{}, err
	}
	if err := o.onlyIn(ns, row); err != nil {
		return agentRow{}, err
	}
	a, err := agentsByName.Get(o.Tx, store.Join(ns, row.Claim))
	switch {
	case isNotFound(err):
		return o.registerProved(ns, row)
	case err != nil:
		return agentRow{}, err
	case !slices.Equal(a.Public, row.Public):
		return o.changeKey(a, row, r.KeyChange)
	case !a.Proved:
		a.Proved = true
		return a, agents.Put(o.Tx, a)
	}
	return a, nil
}

// onlyIn refuses a key that the agent's id has in another namespace: a signature
// must pick one agent.
func (o *op) onlyIn(ns string, row deviceRow) error {
	for other, err := range agentsByID.All(o.Tx, store.Key(row.Claim)) {
		if err != nil {
			return err
		}
		if other.Namespace != ns && slices.Equal(other.Public, row.Public) {
			return ErrExists
		}
	}
	return nil
}

func (o *op) registerProved(ns string, row deviceRow) (agentRow, error) {
	if err := o.ensureNamespace(ns); err != nil {
		return agentRow{}, err
	}
	a := agentRow{
		ID: uuid.NewString(), AgentID: row.Claim, Namespace: ns, Public: row.Public, Created: o.now.UnixNano(), Proved: true,
	}
	o.also = append(o.also, record{action: access.CreateAgent, agent: a.AgentID, resource: row.UserCode})
	o.aboutAgent(a)
	return a, agents.Insert(o.Tx, a)
}

// changeKey gives an agent another key, and ends what hung on the old one: its
// devices, sessions, tokens and approvals.
func (o *op) changeKey(a agentRow, row deviceRow, confirmed bool) (agentRow, error) {
	if !confirmed {
		return agentRow{}, invalid("agent_id", "has another key: this would take everything from who has the old one; confirm it with key_change")
	}
	if !o.by.May(access.AgentKeyChange) {
		return agentRow{}, ErrDenied
	}
	old := proof.EncodeKey(a.Public)
	if err := o.cutOff(a); err != nil {
		return agentRow{}, err
	}
	a.Public, a.Proved = row.Public, true
	change := record{action: access.AgentKeyChange, agent: a.AgentID, resource: row.UserCode}
	change.about(a.ID, "namespace="+a.Namespace)
	change.about(old, "old key")
	change.about(proof.EncodeKey(a.Public), "new key")
	o.alarm(change)
	return a, agents.Put(o.Tx, a)
}

// cutOff ends everything that an agent has been given, but not its projects'
// names.
func (o *op) cutOff(a agentRow) error {
	if _, err := o.endDevices(a); err != nil {
		return err
	}
	if err := o.dropPendings(pendingsByAgent.All(o.Tx, store.Key(a.ID))); err != nil {
		return err
	}
	if err := o.dropPinsOf(a); err != nil {
		return err
	}
	return dropAll(o, tokens, tokensByAgent.All(o.Tx, store.Key(a.ID)))
}

// DenyDevice says no to a log-in that waits.
func (v *Vault) DenyDevice(ctx context.Context, by access.Caller, userCode string) error {
	code, err := parseUserCode(userCode)
	if err != nil {
		return err
	}
	return v.do(ctx, by, record{action: access.DeviceDeny, resource: code, status: statusDenied}, func(o *op) error {
		row, err := o.pendingDevice(code)
		if err != nil {
			return err
		}
		o.record.agent = row.Claim
		if row.proved() {
			err = o.sees(namespaceOr(row.ClaimNS))
		} else {
			o.anywhere()
		}
		if err != nil {
			return err
		}
		row.Status = deviceDenied
		return devices.Put(o.Tx, row)
	})
}
