package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
)

// What an export does in one transaction, so that no reader of it, however slow,
// keeps space from being used again: how many records it looks at while it looks
// for the first, and how many bytes it takes. An hour is enough for all.
const (
	exportLooks = 20_000
	exportPiece = 64 << 10
	exportTime  = time.Hour
)

// An AuditExport is a part of the trail on its way out, as a run of records
// without gaps. Close it.
type AuditExport struct {
	v            *Vault
	since, until time.Time
	written      audit.ExportEnd // so far
	last         uint64          // the number of the export's own record, the last
	done         bool
	check        *audit.Verifier
	keys         map[string]audit.MACKey // of check, only while they are held
}

// ExportAudit begins an export of the records from the first that is not older
// than since to the last before one that is not older than until; a zero time
// bounds nothing. That it is made is recorded before, and that record ends it at
// the latest. While there is another that was not closed it is [ErrTooMany].
// It is not for callers that are confined: what they may see has gaps.
func (v *Vault) ExportAudit(ctx context.Context, by access.Caller, since, until time.Time) (*AuditExport, error) {
	rec := record{action: access.ExportAudit, resource: spanText(since, until)}
	if err := v.may(ctx, by, rec); err != nil {
		return nil, err
	}
	if !v.exporting.TryLock() {
		return nil, ErrTooMany
	}
	x := &AuditExport{v: v, since: since, until: until, keys: map[string]audit.MACKey{}}
	x.check = audit.NewVerifier(x.keys)
	err := v.do(ctx, by, rec, func(o *op) error {
		head, err := checkHead(o.Tx, o.keys)
		x.last = head.Seq + 1
		return err
	})
	if err == nil {
		err = x.begin(ctx)
	}
	if err != nil {
		v.exporting.Unlock()
		return nil, err
	}
	return x, nil
}

// spanText says in a record what was asked for.
func spanText(since, until time.Time) string {
	text := ""
	if !since.IsZero() {
		text = "since=" + since.UTC().Format(time.RFC3339)
	}
	if !until.IsZero() {
		text += " until=" + until.UTC().Format(time.RFC3339)
	}
	return text
}

// Close lets the next export begin, and pruning.
func (x *AuditExport) Close() { x.v.exporting.Unlock() }

// begin finds the record before the first.
func (x *AuditExport) begin(ctx context.Context) error {
	for found := false; !found; {
		err := x.view(ctx, func(tx *store.Tx) (err error) {
			found, err = x.skip(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// skip goes over records that are too old, and reports whether that is all of
// them. What makes no sense is for the export to tell.
func (x *AuditExport) skip(tx *store.Tx) (found bool, err error) {
	looks := 0
	for r, err := range records(entries.All(tx, x.written.End.Seq+1)) {
		var e audit.Entry
		if err == nil {
			e, err = r.Entry()
		}
		switch {
		case errors.Is(err, audit.ErrMalformed):
			return true, nil
		case err != nil:
			return false, err
		case !e.Time.Before(x.since):
			if x.written.End.Seq == 0 { // what is before it is not there any more
				x.written.End = audit.Boundary{Seq: e.Seq - 1, RowHash: r.PrevHash}
			}
			return true, nil
		}
		x.written.End = audit.Boundary{Seq: e.Seq, RowHash: r.RowHash}
		if looks++; looks == exportLooks {
			return false, nil
		}
	}
	x.done = true
	return true, nil
}

// WriteTo writes the export. It can be done once. Where something is wrong with
// the trail, or it cannot be read to its end, the export says so in its last
// line, and WriteTo returns it.
func (x *AuditExport) WriteTo(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	lines := bytes.NewBuffer(audit.ExportHeader{VaultID: x.v.ID(), After: x.written.End}.Line())
	for {
		err := x.piece(ctx, lines)
		switch {
		case err != nil:
			lines.Write(exportError(err).Line())
		case x.done:
			lines.Write(x.written.Line())
		}
		if _, werr := w.Write(lines.Bytes()); err != nil || werr != nil {
			return fmt.Errorf("exporting the audit trail: %w", errors.Join(err, werr))
		}
		if x.done {
			return nil
		}
		lines.Reset()
	}
}

// exportError returns what the export says of what went wrong.
func exportError(err error) *audit.ExportError {
	if e, ok := errors.AsType[*audit.ExportError](err); ok {
		return e
	}
	if errors.Is(err, ErrSealed) {
		return &audit.ExportError{Why: ErrSealed.Error()}
	}
	return &audit.ExportError{Why: "the trail could not be read to its end"}
}

// piece appends the next lines.
func (x *AuditExport) piece(ctx context.Context, lines *bytes.Buffer) error {
	if x.done {
		return nil
	}
	return x.view(ctx, func(tx *store.Tx) error {
		for row, err := range entries.All(tx, x.written.End.Seq+1) {
			if err != nil {
				return err
			}
			if err := x.add(row.Value, lines); err != nil || x.done || lines.Len() >= exportPiece {
				return err
			}
		}
		return x.broken("missing")
	})
}

// broken says what is wrong with the next record.
func (x *AuditExport) broken(why string) error {
	return &audit.ExportError{Why: audit.Break{Seq: x.written.End.Seq + 1, Why: why}.String()}
}

// add appends a record, if it belongs to the export and to the chain.
func (x *AuditExport) add(value []byte, lines *bytes.Buffer) error {
	r, err := audit.ParseRecord(value)
	if err != nil {
		return x.broken(err.Error())
	}
	if !x.check.Add(r) {
		return &audit.ExportError{Why: x.check.Finish(nil).Broken.String()}
	}
	e, err := r.Entry()
	if err != nil {
		return err // unreachable: it was decoded to be checked
	}
	if e.Seq != x.written.End.Seq+1 || r.PrevHash != x.written.End.RowHash {
		return x.broken("not linked to the record before it")
	}
	if x.done = !x.until.IsZero() && !e.Time.Before(x.until); x.done {
		return nil
	}
	line, err := r.Line()
	lines.Write(line)
	x.written.Rows++
	x.written.End = audit.Boundary{Seq: e.Seq, RowHash: r.RowHash}
	x.done = e.Seq >= x.last
	return err
}

// view calls fn with a transaction, with the keys for check.
func (x *AuditExport) view(ctx context.Context, fn func(*store.Tx) error) error {
	return x.v.viewTrail(ctx, x.keys, fn)
}

// viewTrail calls fn with a transaction, and with the keys of the trail among
// keys. It is for one piece of what takes long: sealing waits for it.
func (v *Vault) viewTrail(ctx context.Context, keys map[string]audit.MACKey, fn func(*store.Tx) error) error {
	k, release, err := v.use()
	if err != nil {
		return err
	}
	defer release()
	keys[k.audit.kid] = k.audit
	return translate(v.db.View(ctx, fn))
}
