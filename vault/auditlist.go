package vault

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
)

// How many entries one answer may have, and how many are looked at for it:
// whoever asks for what is rare keeps nobody waiting.
const (
	maxAuditRows  = 1000
	maxAuditLooks = 20_000
)

// An AuditQuery says which entries to return. The zero value asks for the
// newest there are.
type AuditQuery struct {
	// Project, Agent, Action and Status are what an entry must have, unless
	// empty. A status picks those that say more behind a colon as well.
	Project, Agent, Action, Status string
	// Since and Until bound its time, unless zero: not before the one, before
	// the other.
	Since, Until time.Time
	// Limit is how many, at most 1000. If zero, 1000.
	Limit int
	// After is the position to go on after, as the part before said; empty for
	// the first.
	After string
}

// An AuditRow is an entry with what chains it. Callers that are confined see
// neither its number nor what chains it: those count what is not theirs.
type AuditRow struct {
	audit.Entry
	// PrevHash is the hash of the entry before, in hex; empty for the first.
	PrevHash string
	// MAC is the entry's MAC, in hex.
	MAC string
	// By is the name of the account that acted; empty for anybody else, and for
	// one that was deleted. The entry has its id.
	By string
}

func (q AuditQuery) validate() error {
	return cmp.Or(checkLine("project", &q.Project, maxVersion), checkLine("agent", &q.Agent, maxVersion),
		checkLine("action", &q.Action, maxVersion), checkLine("status", &q.Status, maxVersion))
}

func (q AuditQuery) picks(e audit.Entry) bool {
	return (q.Project == "" || q.Project == orEmpty(e.Project)) && (q.Agent == "" || q.Agent == orEmpty(e.AgentID)) &&
		(q.Action == "" || q.Action == e.Action) &&
		(q.Status == "" || q.Status == e.Status || strings.HasPrefix(e.Status, q.Status+":")) &&
		(q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || e.Time.Before(q.Until))
}

// AuditLog returns entries that q asks for, newest first, and the position to
// go on after, empty at the end. It looks at a bounded number of entries: a
// part may be short, or empty, and not be the last. A caller that is confined
// sees the entries that speak of its namespaces and of no other.
func (v *Vault) AuditLog(ctx context.Context, by access.Caller, q AuditQuery) (part []AuditRow, next string, err error) {
	if q.Limit <= 0 || q.Limit > maxAuditRows {
		q.Limit = maxAuditRows
	}
	if err := q.validate(); err != nil {
		return nil, "", err
	}
	err = v.look(ctx, by, access.ReadAudit, func(o *op) (err error) {
		o.anywhere()
		part, next, err = o.auditPart(q)
		return err
	})
	return part, next, err
}

func (o *op) auditPart(q AuditQuery) (part []AuditRow, next string, err error) {
	part = []AuditRow{}
	looks, last := 0, q.After
	for r, err := range entriesBefore(o.Tx, q.After) {
		if err != nil {
			return nil, "", err
		}
		if len(part) == q.Limit || looks == maxAuditLooks {
			return part, last, nil
		}
		row, ok, err := o.auditRow(q, r.Value)
		if err != nil {
			return nil, "", err
		}
		if ok {
			part = append(part, row)
		}
		looks, last = looks+1, auditPosition(r.Seq)
	}
	return part, "", nil
}

// auditPosition is where an entry stands in the list.
func auditPosition(seq uint64) string { return string(binary.BigEndian.AppendUint64(nil, seq)) }

// entriesBefore yields the records behind a position in the list, which are
// those of lower numbers; all of them if it is empty.
func entriesBefore(tx *store.Tx, position string) iter.Seq2[store.Record, error] {
	if len(position) != 8 {
		return entries.Backward(tx, 0)
	}
	seq := binary.BigEndian.Uint64([]byte(position))
	return filter(entries.Backward(tx, seq), func(r store.Record) bool { return r.Seq < seq })
}

// auditRow returns what the caller sees of a record, false if that is nothing or
// not asked for.
func (o *op) auditRow(q AuditQuery, record []byte) (AuditRow, bool, error) {
	r, err := audit.ParseRecord(record)
	if err != nil {
		return AuditRow{}, false, err
	}
	e, err := r.Entry()
	if err != nil || !q.picks(e) || !o.maySee(e) {
		return AuditRow{}, false, err
	}
	row := AuditRow{Entry: e, MAC: hex.EncodeToString(r.MAC[:])}
	if e.Seq > 1 {
		row.PrevHash = hex.EncodeToString(r.PrevHash[:])
	}
	if o.by.Scoped() {
		row.Seq, row.PrevHash, row.MAC = 0, "", ""
	}
	row.By, err = o.accountName(e.Actor)
	return row, err == nil, err
}

// accountName returns the name of the account that acted, if it is one.
func (o *op) accountName(a audit.Actor) (string, error) {
	if a.Kind != string(access.Admin) || a.ID == "" {
		return "", nil
	}
	row, err := users.Get(o.Tx, store.Key(a.ID))
	if isNotFound(err) {
		return "", nil
	}
	return row.Name, err
}

// maySee reports whether the caller may see an entry: one who is confined, only
// if it is about something in its namespaces, and about nothing elsewhere.
func (o *op) maySee(e audit.Entry) bool {
	if !o.by.Scoped() {
		return true
	}
	placed := e.Actor.Namespace != ""
	if placed && !o.by.Within(e.Actor.Namespace) {
		return false
	}
	for name := range namespacesOf(e.Resources) {
		if placed = true; !o.by.Within(name) {
			return false
		}
	}
	return placed
}

// namespacesOf yields the namespaces that the resources of an entry speak of. They
// stand before everything that somebody chose the words of.
func namespacesOf(resources []audit.Resource) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, about := range resources {
			for word := range strings.FieldsSeq(about.Decision) {
				key, name, ok := strings.Cut(word, "=")
				if ok && key != "namespace" && key != "into" {
					break
				}
				if ok && !yield(name) {
					return
				}
			}
		}
	}
}
