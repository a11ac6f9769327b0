package keyring

import (
	"encoding/binary"
	"fmt"
)

// A Label says where a ciphertext belongs. It is not stored beside the
// ciphertext but taken from where that was found, and authenticated.
type Label struct {
	// VaultID is the id of the vault.
	VaultID string
	// Bucket names the kind of row.
	Bucket string
	// Row is the row's own id, which it keeps when it is renamed.
	Row string
	// Version counts the versions of the row.
	Version uint64
}

// maxField bounds each text in a Label. It keeps the first byte of every
// length in the associated data at zero, which no use contains.
const maxField = 1 << 16

// check refuses labels beyond the bound.
func (l Label) check() error {
	if n := max(len(l.VaultID), len(l.Bucket), len(l.Row)); n > maxField {
		return fmt.Errorf("keyring: label of %d bytes", n)
	}
	return nil
}

// appendAAD appends the associated data of a ciphertext:
//
//	"cortex/1/" use   not framed; use is of a-z, 0-9 and -
//	u32 n, n bytes    vault id
//	u32 n, n bytes    bucket
//	u32 n, n bytes    row id
//	u32 8, u64        row version
//
// All numbers are big-endian. The uses are
//
//	slot   a KEK under the key derived from a password
//	dek    the key of one envelope, under the KEK
//	body   the content of one envelope, under its key
//
// and those of [KEK.SealBytes]. For dek there follows
//
//	u32 4, u32        version of the KEK
//
// and for slot, whose bucket is "slot", row id the slot's id and row version
// the version of the KEK,
//
//	u32 n, n bytes    kind of slot
//	u32 4, u32        Argon2id memory in KiB
//	u32 4, u32        Argon2id passes
//	u32 4, u32        Argon2id threads
func (l Label) appendAAD(b []byte, use string) []byte {
	b = append(b, labelPrefix...)
	b = append(b, use...)
	b = appendField(b, l.VaultID)
	b = appendField(b, l.Bucket)
	b = appendField(b, l.Row)
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, l.Version)
}

// appendDEKAAD appends the associated data of a DEK wrapped by a KEK of that
// version.
func (l Label) appendDEKAAD(b []byte, version uint32) []byte {
	return appendNumber(l.appendAAD(b, useDEK), version)
}

// aadRoom is enough for the associated data of what a vault holds.
const aadRoom = 192

// labelPrefix begins every label of a derivation, a MAC or associated data.
const labelPrefix = "cortex/1/"

// appendField appends s behind its length.
func appendField(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// appendNumber appends n as a field.
func appendNumber(b []byte, n uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, 4), n)
}

// mustUse panics unless use can stand in a label without ambiguity.
func mustUse(use string) {
	if use == "" || len(use) > 32 {
		panic("keyring: bad use of a key")
	}
	for _, c := range []byte(use) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			panic("keyring: bad use of a key")
		}
	}
}
