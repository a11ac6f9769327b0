package vault

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
)

// The outcomes of an operation, as the audit entry says them.
const (
	statusSuccess = "success"
	statusPending = "pending"
	statusDenied  = "denied"
	statusRevoked = "revoked"
	statusExpired = "expired"
	statusFrozen  = "frozen"
	statusAlarm   = "alarm"
	statusRefused = "refused"
	// statusUnpinned: it was for a command that nobody approved.
	statusUnpinned = statusRefused + ":command_not_pinned"
)

// entries is the audit trail, and heads its end.
var (
	entries = store.NewLog("audit")
	heads   = store.Clear[headRow]("audit_head")
)

// headKey is the key of the one row in heads.
const headKey = store.Key("head")

// A headRow holds the marshalled head, which carries a MAC of its own.
type headRow struct {
	Head []byte `cbor:"1,keyasint"`
}

// Key returns the key of the one row there is.
func (headRow) Key() store.Key { return headKey }

// A record is an audit entry in the making. Empty texts are absent.
type record struct {
	action    access.Action
	agent     string
	project   string
	resource  string
	resources []audit.Resource
	status    string // if empty, success

	// For people who are told, and not in the entry as such: where the thing
	// belongs, if not where the caller does; what can be decided on; why somebody
	// did it; the variables; a channel that is not told.
	namespace, ref, reason string
	names                  []string
	except                 string
}

// maxResources bounds what one entry lists.
const maxResources = 1200

// about adds a thing and what was decided about it.
func (r *record) about(path, decision string) {
	switch n := len(r.resources); {
	case n < maxResources:
		r.resources = append(r.resources, audit.Resource{Path: path, Decision: decision})
	case n == maxResources:
		r.resources = append(r.resources, audit.Resource{Decision: "and more"})
	}
}

// write links the operation's entries to the trail, and queues what people are
// told of them.
func (o *op) write() error {
	head, err := checkHead(o.Tx, o.keys)
	if err != nil {
		return err
	}
	for _, r := range o.records() {
		var link audit.Record
		e := o.entry(r)
		if link, head, err = audit.Link(o.keys.audit, head, e); err != nil {
			return fmt.Errorf("linking audit entry: %w", err)
		}
		if err := entries.Append(o.Tx, head.Seq, link.Marshal()); err != nil {
			return fmt.Errorf("writing audit entry: %w", err)
		}
		if err := o.notify(r, e, head.Seq); err != nil {
			return fmt.Errorf("queueing notification: %w", err)
		}
	}
	o.seq = head.Seq
	o.UseReserve(o.share())
	return heads.Put(o.Tx, headRow{Head: head.Marshal()})
}

// records returns what is recorded of the operation.
func (o *op) records() []record { return append([]record{o.record}, o.also...) }

// entry completes r with who, when and from where.
func (o *op) entry(r record) audit.Entry {
	e := audit.Entry{
		ID:        uuid.NewString(),
		Time:      o.now,
		Actor:     audit.Actor{Kind: string(o.by.Kind), ID: o.by.ID, Namespace: o.by.Namespace, Auth: o.by.Auth},
		AgentID:   present(r.agent),
		Project:   present(r.project),
		Action:    string(r.action),
		Resource:  present(r.resource),
		Resources: r.resources,
		Status:    r.status,
		Caller:    o.by.Origin.Meta,
	}
	if e.Status == "" {
		e.Status = statusSuccess
	}
	if e.Caller.SourceIP == nil {
		e.Caller.SourceIP = present(o.by.Origin.Source)
	}
	return e
}

// readHead returns the end of the trail. A head that is missing or not ours is
// ErrAuditBroken: no audit, no operation.
func readHead(tx *store.Tx, k *keys) (audit.Head, error) {
	row, err := heads.Get(tx, headKey)
	if err != nil {
		return audit.Head{}, fmt.Errorf("%w: reading head: %v", ErrAuditBroken, err)
	}
	head, err := audit.ParseHead(row.Head)
	if err != nil {
		return audit.Head{}, fmt.Errorf("%w: %v", ErrAuditBroken, err)
	}
	if head.VaultID != k.vaultID || !head.Genuine(k.audit) {
		return audit.Head{}, fmt.Errorf("%w: head is not of this vault", ErrAuditBroken)
	}
	return head, nil
}

// checkHead returns the end of the trail, after comparing it with the last
// entry there is.
func checkHead(tx *store.Tx, k *keys) (audit.Head, error) {
	head, err := readHead(tx, k)
	if err != nil {
		return audit.Head{}, err
	}
	seq, value, _, err := entries.Last(tx)
	if err != nil {
		return audit.Head{}, err
	}
	if seq != head.Seq {
		return audit.Head{}, fmt.Errorf("%w: head says %d, trail ends at %d", ErrAuditBroken, head.Seq, seq)
	}
	if seq == 0 {
		return head, nil
	}
	last, err := audit.ParseRecord(value)
	if err != nil {
		return audit.Head{}, fmt.Errorf("%w: %v", ErrAuditBroken, err)
	}
	if last.RowHash != head.RowHash {
		return audit.Head{}, fmt.Errorf("%w: head is of another entry %d", ErrAuditBroken, seq)
	}
	return head, nil
}

// refusals are the errors that say no to an authenticated caller, and what the
// audit entry calls them.
var refusals = []struct {
	err    error
	status string
}{
	{ErrDenied, statusDenied},
	{ErrProofRequired, statusRefused + ":proof_required"},
	{ErrWrongPassword, statusRefused + ":wrong_password"},
	{ErrForeignPassword, statusRefused + ":foreign_password"},
	{ErrRotating, statusRefused + ":rotating"},
	{ErrGrantDenied, statusDenied},
	{ErrFrozen, statusFrozen},
	{ErrProjectMismatch, statusDenied},
	{ErrBinaryNotAllowed, statusDenied},
	{ErrBinaryDisabled, statusDenied},
	{ErrExposure, statusDenied},
	{ErrNotFound, statusRefused + ":not_found"},
	{ErrExists, statusRefused + ":exists"},
	{ErrAmbiguous, statusRefused + ":ambiguous"},
	{ErrInUse, statusRefused + ":in_use"},
	{ErrDecided, statusRefused + ":decided"},
	{ErrTokenActive, statusRefused + ":token_active"},
	{ErrTooMany, statusRefused + ":too_many"},
}

// refusal returns what the audit entry says of err, false if err is not a
// refusal.
func refusal(err error) (string, bool) {
	if _, ok := errors.AsType[*InvalidError](err); ok {
		return statusRefused + ":invalid", true
	}
	if _, ok := errors.AsType[*TemplateError](err); ok {
		return statusRefused + ":template", true
	}
	if _, ok := errors.AsType[*VersionError](err); ok {
		return statusRefused + ":version", true
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.status, true
		}
	}
	return "", false
}

// present returns nil for the empty text.
func present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty returns the empty text for nil.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// assign sets what there is a value for.
func assign[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}
