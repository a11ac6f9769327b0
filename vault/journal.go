package vault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/journal"
	"github.com/cortex-auth/cortex/vault/proof"
)

// journalPath is where journals come in, which daemons sign.
const journalPath = "/daemon/journal"

// MaxJournal is how many entries of a journal may come at once.
const MaxJournal = 256

// journalKept is how long it is remembered how far a journal was heard, from when its
// last values ran out.
const journalKept = 90 * 24 * time.Hour

// journals say how far each was heard. A journal is what one process of an agent's
// daemon wrote: it has a key of its own.
var journals = store.Rows[journalRow]("journal")

type journalRow struct {
	Agent  string `cbor:"1,keyasint"` // row id
	Signer string `cbor:"2,keyasint"` // the key, in URL-safe base64 without padding
	Seq    uint64 `cbor:"3,keyasint"`
	Hash   string `cbor:"4,keyasint"` // of the last entry
	Until  int64  `cbor:"5,keyasint"` // when the last values of it run out, Unix nanoseconds
}

// Key returns agent and signer.
func (r journalRow) Key() store.Key { return store.Join(r.Agent, r.Signer) }

func (r journalRow) chain() journal.Chain { return journal.Chain{Seq: r.Seq, Hash: r.Hash} }

// CheckJournal is [Vault.CheckAttestation] for a request that brings a journal, which
// is attested in every case. What happened may be told whatever became of its author
// since: the session may have ended, and the agent may be frozen.
func (v *Vault) CheckJournal(ctx context.Context, from access.Origin, att *proof.Attestation) (*Attested, error) {
	k, release, err := v.use()
	if err != nil {
		return nil, err
	}
	defer release()
	var a Attested
	err = v.db.View(ctx, func(tx *store.Tx) error {
		a, err = v.newOp(tx, k, access.Nobody(from), record{}).attestedEver(att, "POST", journalPath)
		return err
	})
	if err != nil {
		return nil, v.failAuth(ctx, k, from, record{action: access.Attestation}, err)
	}
	return &a, nil
}

// KeepJournal records what an agent's programs did with values while the vault was
// away, one entry each, and returns how many of the lines are new: those that came
// before are recorded already. a is what [Vault.CheckJournal] returned. A journal
// that is not the agent's, not as it was written, or not the one that was heard
// before is [ErrJournal]: nothing of it is recorded, but that is, as an alarm.
func (v *Vault) KeepJournal(ctx context.Context, from access.Origin, a *Attested, lines []string) (kept int, err error) {
	if len(lines) > MaxJournal {
		return 0, invalid("entries", "are more than %d", MaxJournal)
	}
	k, release, err := v.use()
	if err != nil {
		return 0, err
	}
	defer release()
	by, err := v.author(ctx, k, from, a)
	if err == nil {
		err = v.doWith(ctx, k, by, record{action: access.OfflineUse, agent: by.Name}, func(o *op) error {
			if err := o.use(a.message); err != nil {
				return err
			}
			said, err := o.keepJournal(a.agent, lines)
			if err != nil {
				return err
			}
			if kept = len(said); kept == 0 {
				return errNothing
			}
			o.record, o.also = said[0], said[1:]
			return nil
		})
	}
	switch {
	case err == nil:
		return kept, nil
	case errors.Is(err, errNothing):
		return 0, nil
	case errors.Is(err, ErrJournal):
		rejected := record{action: access.JournalRejected, agent: by.Name, resource: a.session, status: statusAlarm}
		v.operations.add(rejected.action, rejected.status)
		return 0, errors.Join(err, v.append(ctx, k, by, rejected))
	}
	return 0, v.failAuth(ctx, k, from, record{action: access.Attestation, agent: by.Name}, err)
}

// author returns the agent whose journal comes.
func (v *Vault) author(ctx context.Context, k *keys, from access.Origin, a *Attested) (by access.Caller, err error) {
	err = v.db.View(ctx, func(tx *store.Tx) error {
		agent, err := agents.Get(tx, store.Key(a.agent))
		if isNotFound(err) || err == nil && !a.by(agent) {
			return ErrUnauthorized
		}
		by = agent.caller("attestation", a.session, from)
		return err
	})
	return by, err
}

// keepJournal returns the records of the lines that are new.
func (o *op) keepJournal(agent string, lines []string) (said []record, err error) {
	heard := map[string]journal.Chain{} // of these lines, by their signer
	for _, line := range lines {
		e, r, err := o.readEntry(agent, line)
		if err != nil {
			return nil, err
		}
		signer := proof.EncodeKey(r.Key)
		if before, ok := heard[signer]; ok && !before.Follows(e) {
			return nil, fmt.Errorf("%w: entry %d does not follow the one before it", ErrJournal, e.Seq)
		}
		heard[signer] = journal.After(e)
		news, err := o.hearEntry(journalRow{Agent: agent, Signer: signer}, e, r)
		if err != nil {
			return nil, err
		}
		said = append(said, news...)
	}
	return said, nil
}

// readEntry reads a line and finds out whether it is the agent's.
func (o *op) readEntry(agent, line string) (e journal.Entry, r journal.Receipt, err error) {
	if e, err = journal.Parse(line); err != nil {
		return e, r, fmt.Errorf("%w: %w", ErrJournal, err)
	}
	if r, err = journal.ParseReceipt(e.Receipt); err != nil {
		return e, r, fmt.Errorf("%w: %w", ErrJournal, err) // unreachable: the line was parsed
	}
	switch {
	case !o.keys.genuine(r):
		err = fmt.Errorf("%w: entry %d has a receipt that is not this vault's", ErrJournal, e.Seq)
	case r.Agent != agent:
		err = fmt.Errorf("%w: entry %d is another agent's", ErrJournal, e.Seq)
	case !e.SignedBy(r.Key):
		err = fmt.Errorf("%w: entry %d is not signed by its session", ErrJournal, e.Seq)
	case nanos(r.Until).Before(o.now.Add(-journalKept)):
		err = fmt.Errorf("%w: entry %d is so old that it may have been recorded", ErrJournal, e.Seq)
	}
	return e, r, err
}

// hearEntry returns what is recorded of an entry, nothing if it was before, and
// remembers it. What should have come before it, and did not, is an alarm.
func (o *op) hearEntry(row journalRow, e journal.Entry, r journal.Receipt) (said []record, err error) {
	known, err := journals.Get(o.Tx, row.Key())
	if err == nil {
		row = known
	} else if !isNotFound(err) {
		return nil, err
	}
	switch {
	case e.Seq < row.Seq:
		return nil, nil
	case e.Seq == row.Seq:
		if e.Hash() != row.Hash {
			return nil, fmt.Errorf("%w: entry %d was another one", ErrJournal, e.Seq)
		}
		return nil, nil
	case e.Seq == row.Seq+1:
		if !row.chain().Follows(e) {
			return nil, fmt.Errorf("%w: entry %d does not follow what was recorded", ErrJournal, e.Seq)
		}
	default:
		said = append(said, o.missing(row, e, r))
	}
	row.Seq, row.Hash, row.Until = e.Seq, e.Hash(), max(row.Until, r.Until)
	return append(said, o.offlineUse(e, r)), journals.Put(o.Tx, row)
}

// missing returns the alarm about entries that never came.
func (o *op) missing(row journalRow, e journal.Entry, r journal.Receipt) record {
	return record{
		action: access.JournalGap, agent: o.by.Name, project: r.Project, resource: r.Session, status: statusAlarm,
		resources: []audit.Resource{{Path: "entries", Decision: fmt.Sprintf("%d to %d are missing", row.Seq+1, e.Seq-1)}},
	}
}

// offlineUse returns the record of an entry. A time that cannot be makes it an alarm.
func (o *op) offlineUse(e journal.Entry, r journal.Receipt) record {
	said := record{action: access.OfflineUse, agent: o.by.Name, project: r.Project, resource: r.Project}
	for _, name := range e.Names {
		said.about(name, "used")
	}
	at, decision := time.Unix(e.At, 0), ""
	switch {
	case at.After(o.now.Add(skew)):
		decision = ": after the clock of the vault"
	case at.After(nanos(r.Until).Add(skew)):
		decision = ": after the values ran out"
	case at.Before(nanos(r.Fetched).Add(-skew)):
		decision = ": before the values were fetched"
	}
	if decision != "" {
		said.status = statusAlarm
	}
	said.resources = append(said.resources,
		audit.Resource{Path: "claimed_at", Decision: at.UTC().Format(time.RFC3339) + decision},
		audit.Resource{Path: "fetched", Decision: nanos(r.Fetched).UTC().Format(time.RFC3339)},
		audit.Resource{Path: "usable_until", Decision: nanos(r.Until).UTC().Format(time.RFC3339)},
		audit.Resource{Path: "session", Decision: r.Session},
		audit.Resource{Path: "entry", Decision: strconv.FormatUint(e.Seq, 10)},
	)
	return said
}

// purgeJournals forgets journals of which nothing new can come.
func (o *op) purgeJournals(n int) (int, error) {
	before := o.now.Add(-journalKept).UnixNano()
	return dropAtMost(o, n, journals, func(r journalRow) bool { return r.Until < before })
}
