package audit

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// format is the first byte of a marshalled Record or Head.
const format = 1

// maxName bounds the ids of vaults and keys.
const maxName = 256

// A Record is one link of the chain as it is stored.
type Record struct {
	// Enc is the encoded entry.
	Enc []byte
	// PrevHash is the RowHash of the record before, zeros for the first.
	PrevHash [32]byte
	// RowHash is the hash over PrevHash and Enc.
	RowHash [32]byte
	// KID names the key of MAC.
	KID string
	// MAC authenticates RowHash.
	MAC [32]byte
}

// Entry decodes the record's entry.
func (r Record) Entry() (Entry, error) { return DecodeEntry(r.Enc) }

// Marshal returns r as bytes: the byte 1, then Enc, PrevHash, RowHash, KID and
// MAC, framed as [Entry.Encode] frames its fields.
func (r Record) Marshal() []byte {
	w := append(make(writer, 0, 1+5*4+3*32+len(r.Enc)+len(r.KID)), format)
	w.bytes(r.Enc)
	w.bytes(r.PrevHash[:])
	w.bytes(r.RowHash[:])
	w.string(r.KID)
	w.bytes(r.MAC[:])
	return w
}

// ParseRecord parses what Marshal returned, and nothing else. Any error is an
// ErrMalformed. It looks into neither the entry nor the hashes. The record's
// Enc is a part of b, not a copy.
func ParseRecord(b []byte) (Record, error) {
	r, err := open(b)
	if err != nil {
		return Record{}, err
	}
	rec := Record{Enc: r.bytes(), PrevHash: r.hash(), RowHash: r.hash(), KID: r.name(), MAC: r.hash()}
	if len(rec.Enc) > MaxEncoding {
		r.fail("entry too large")
	}
	return rec, r.end()
}

// rowHash computes what RowHash must be:
//
//	SHA-256("cortex/audit/1" ‖ PrevHash ‖ Enc)
func (r Record) rowHash() (sum [32]byte) {
	h := sha256.New()
	h.Write([]byte("cortex/audit/1"))
	h.Write(r.PrevHash[:])
	h.Write(r.Enc)
	h.Sum(sum[:0])
	return sum
}

// tag computes what MAC must be.
func (r Record) tag(key MACKey) [32]byte { return key.AuditTag(labelEntry, r.RowHash[:]) }

// A Head is the newest point of a chain, kept apart from the records so that
// cutting off the newest of them shows. The Head of a chain without records,
// which [Begin] makes, has Seq 0 and a RowHash of zeros.
type Head struct {
	// VaultID is the vault whose chain this is.
	VaultID string
	// Seq is the number of the newest record, 0 if there is none.
	Seq uint64
	// RowHash is the hash of the newest record.
	RowHash [32]byte
	// KID names the key of MAC.
	KID string
	// MAC authenticates the three fields before KID.
	MAC [32]byte
}

// Genuine reports whether h was made with key: whether it names that key and
// its MAC is right. It says nothing of whether h is the newest.
func (h Head) Genuine(key MACKey) bool {
	want := h.tag(key)
	return h.KID == key.KID() && subtle.ConstantTimeCompare(want[:], h.MAC[:]) == 1
}

// Marshal returns h as bytes: the byte 1, then the fields in order, framed as
// [Entry.Encode] frames its own.
func (h Head) Marshal() []byte {
	w := append(make(writer, 0, 1+5*4+8+2*32+len(h.VaultID)+len(h.KID)), format)
	w.string(h.VaultID)
	w.uint64(h.Seq)
	w.bytes(h.RowHash[:])
	w.string(h.KID)
	w.bytes(h.MAC[:])
	return w
}

// ParseHead parses what Marshal returned, and nothing else. Any error is an
// ErrMalformed.
func ParseHead(b []byte) (Head, error) {
	r, err := open(b)
	if err != nil {
		return Head{}, err
	}
	h := Head{VaultID: r.name(), Seq: r.uint64(), RowHash: r.hash(), KID: r.name(), MAC: r.hash()}
	return h, r.end()
}

// tag computes what MAC must be.
func (h Head) tag(key MACKey) [32]byte {
	var seq writer
	seq.uint64(h.Seq)
	return key.AuditTag(labelHead, []byte(h.VaultID), seq[4:], h.RowHash[:])
}

// open returns a reader of the fields behind the format byte.
func open(b []byte) (*reader, error) {
	if len(b) == 0 || b[0] != format {
		return nil, fmt.Errorf("%w: unknown format", ErrMalformed)
	}
	return &reader{rest: b[1:]}, nil
}
