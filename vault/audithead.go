package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit/note"
)

// headEvery is how often the signed head is logged.
const headEvery = time.Hour

// A SignedHead says where the audit trail ends. Kept outside of the vault's
// host it shows later whether the trail is an older copy.
type SignedHead struct {
	// Note is signed now.
	Note note.Note
	// Key verifies it, and those before and after it.
	Key note.Key
}

// SignedHead returns the signed end of the audit trail. It signs nothing but
// what the trail's own head and its last record agree on, else it returns
// [ErrAuditBroken].
func (v *Vault) SignedHead(ctx context.Context, by access.Caller) (h SignedHead, err error) {
	err = v.look(ctx, by, access.ReadAudit, func(o *op) error {
		head, err := checkHead(o.Tx, o.keys)
		if err != nil {
			return err
		}
		h.Key = o.keys.noteKey()
		h.Note, err = note.Sign(note.Head{VaultID: head.VaultID, Seq: head.Seq, RowHash: head.RowHash, Time: o.now}, o.keys.note)
		return err
	})
	return h, err
}

// logHead writes the signed head into the log, from where it gets to wherever
// logs are kept. A sealed vault has none.
func (v *Vault) logHead(ctx context.Context) {
	h, err := v.SignedHead(ctx, access.TheSystem())
	switch {
	case errors.Is(err, ErrSealed):
	case err != nil:
		v.cfg.log().Error("the head of the audit trail was not signed", "err", err)
	default:
		v.cfg.log().Info("audit head", "seq", h.Note.Seq, "note", h.Note.String())
	}
}

// noteKey returns the key that verifies the vault's notes.
func (k *keys) noteKey() note.Key { return note.Key{VaultID: k.vaultID, Public: k.note.Public()} }

// settleNoteKey gives a vault that was made before heads were signed the key for
// that, and records it.
func (v *Vault) settleNoteKey(ctx context.Context, k *keys) error {
	if k.note != nil {
		return nil
	}
	row, err := k.sealKey(useNote, uuid.NewString())
	if err != nil {
		return err
	}
	return v.db.Update(ctx, func(tx *store.Tx) error {
		o := v.newOp(tx, k, access.TheSystem(), record{action: access.MakeNoteKey, resource: k.noteKey().String()})
		if err := o.countWraps(1); err != nil {
			return err
		}
		if err := sealedKeys.Insert(tx, row); err != nil {
			return err
		}
		return o.write()
	})
}
