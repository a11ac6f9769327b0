package vault

import (
	"crypto/subtle"
	"time"

	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/journal"
)

// An Offline is what a daemon is told that may use values while the vault is away.
type Offline struct {
	// TTL is for how long, from the fetch on.
	TTL time.Duration
	// Receipt is to be named by each entry of its journal: a [journal.Receipt].
	Receipt string
}

// hashReceipt is what the tag of a receipt is for.
const hashReceipt = "offline-receipt"

// offlineTTL returns for how long the values of a fetch may be used while the vault
// is away. Only a daemon can, which has a key to sign what it does with them.
func (o *op) offlineTTL(f fetch) (time.Duration, error) {
	if f.attested == nil {
		return 0, nil
	}
	s, err := o.settingsOf(projectRow{Namespace: f.token.Namespace, Name: f.token.Project})
	return s.OfflineTTL, err
}

// lend lets the values of a fetch be used for longer, and has its record say so: not
// those of a project that asks for approved commands.
func (o *op) lend(f *fetch) {
	f.Offline = nil
	// While the vault is away nobody compares commands.
	if f.offline == 0 || len(f.Values) == 0 || f.checked.mode == CommandsEnforce {
		return
	}
	until := o.now.Add(f.offline)
	r := journal.Receipt{
		Agent: f.agent.ID, Session: f.attested.session, Key: f.attested.key, Namespace: f.token.Namespace, Project: f.token.Project,
		Fetched: o.now.UnixNano(), Until: until.UnixNano(),
	}
	r.Tag = o.keys.receiptTag(r)
	f.Offline = &Offline{TTL: f.offline, Receipt: r.Text()}
	o.record.resources = append(o.record.resources, audit.Resource{Path: "usable_until", Decision: until.UTC().Format(time.RFC3339)})
}

// receiptTag returns what shows that a receipt is this vault's.
func (k *keys) receiptTag(r journal.Receipt) []byte {
	tag := k.index.Tag([]byte(hashReceipt), r.Tagged())
	return tag[:]
}

// genuine reports whether a receipt is this vault's.
func (k *keys) genuine(r journal.Receipt) bool {
	return subtle.ConstantTimeCompare(k.receiptTag(r), r.Tag) == 1
}
