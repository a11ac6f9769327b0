package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// An export is a part of a chain as JSON Lines, which anybody can check without
// the vault: an [ExportHeader], the records in ascending order, and an
// [ExportEnd]. What ends in an [ExportError], or does not end, is not whole.
//
// There is one way to write each line. The parsers accept no other.

// exportFormat is the version of the form.
const exportFormat = 1

// An ExportHeader is the first line of an export.
type ExportHeader struct {
	// VaultID is the vault whose chain this is a part of.
	VaultID string
	// After is the record before the first exported, zero if that is the
	// first of the chain.
	After Boundary
}

// An ExportEnd is the last line of an export that is whole.
type ExportEnd struct {
	// End is the last record exported, After of the header if there is none.
	End Boundary
	// Rows is how many there are.
	Rows uint64
}

// An ExportError is the last line of an export that is not whole.
type ExportError struct {
	// Why says what was wrong, for people.
	Why string
}

func (e *ExportError) Error() string { return "the export is not whole: " + e.Why }

type headerLine struct {
	Format  int    `json:"cortex_audit_export"`
	VaultID string `json:"vault_id"`
	After   string `json:"after"`
}

type endLine struct {
	End  string `json:"end"`
	Rows uint64 `json:"rows"`
}

type errorLine struct {
	Why string `json:"error"`
}

// Line returns h as a line, with its end.
func (h ExportHeader) Line() []byte {
	return line(headerLine{exportFormat, h.VaultID, h.After.String()})
}

// Line returns e as a line, with its end.
func (e ExportEnd) Line() []byte { return line(endLine{e.End.String(), e.Rows}) }

// Line returns e as a line, with its end.
func (e *ExportError) Line() []byte { return line(errorLine{e.Why}) }

// Line returns the record as a line of an export, with its end. The record is
// all in the members entry, prev_hash, row_hash, kid and mac; the others are
// what entry says, for people. An entry that cannot be decoded is ErrMalformed.
func (r Record) Line() ([]byte, error) {
	e, err := r.Entry()
	if err != nil {
		return nil, err
	}
	return line(recordLine{
		Seq: e.Seq, ID: e.ID, Time: e.Time, Actor: actorText(e.Actor), AgentID: e.AgentID, Project: e.Project,
		Action: e.Action, Resource: e.Resource, Resources: resourceTexts(e.Resources), Status: e.Status,
		Caller: callerText(e.Caller), Entry: r.Enc,
		PrevHash: hex.EncodeToString(r.PrevHash[:]), RowHash: hex.EncodeToString(r.RowHash[:]),
		KID: r.KID, MAC: hex.EncodeToString(r.MAC[:]),
	}), nil
}

// ParseExportHeader parses what [ExportHeader.Line] returned, and nothing else.
// Any error is an ErrMalformed.
func ParseExportHeader(text []byte) (ExportHeader, error) {
	var l headerLine
	err := json.Unmarshal(text, &l)
	h := ExportHeader{VaultID: l.VaultID}
	if err == nil {
		h.After, err = ParseBoundary(l.After)
	}
	return h, same(text, h.Line(), err)
}

// ParseExportEnd parses what [ExportEnd.Line] returned, and nothing else. Any
// error is an ErrMalformed.
func ParseExportEnd(text []byte) (ExportEnd, error) {
	var l endLine
	err := json.Unmarshal(text, &l)
	e := ExportEnd{Rows: l.Rows}
	if err == nil {
		e.End, err = ParseBoundary(l.End)
	}
	return e, same(text, e.Line(), err)
}

// ParseExportError parses what [ExportError.Line] returned, and nothing else.
// Any error is an ErrMalformed.
func ParseExportError(text []byte) (*ExportError, error) {
	var l errorLine
	err := json.Unmarshal(text, &l)
	e := &ExportError{l.Why}
	return e, same(text, e.Line(), err)
}

// ParseExportRecord parses what [Record.Line] returned, and nothing else. Any
// error is an ErrMalformed. It does not look at the hashes.
func ParseExportRecord(text []byte) (Record, error) {
	var l recordLine
	if err := json.Unmarshal(text, &l); err != nil {
		return Record{}, same(text, nil, err)
	}
	r := Record{Enc: l.Entry, KID: l.KID}
	for into, digits := range map[*[32]byte]string{&r.PrevHash: l.PrevHash, &r.RowHash: l.RowHash, &r.MAC: l.MAC} {
		if hex.DecodedLen(len(digits)) != len(into) {
			return Record{}, same(text, nil, nil)
		}
		if _, err := hex.Decode(into[:], []byte(digits)); err != nil {
			return Record{}, same(text, nil, err)
		}
	}
	if err := checkName(r.KID); err != nil {
		return Record{}, err
	}
	again, err := r.Line()
	return r, same(text, again, err)
}

// line writes v as JSON, with the end of the line.
func line(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("audit: " + err.Error()) // unreachable: there are only texts and numbers, and times that can be encoded
	}
	return b.Bytes()
}

// same returns an ErrMalformed if there was an error, or a line is not what is
// written again of what it says.
func same(text, again []byte, err error) error {
	if err == nil && bytes.Equal(text, again) {
		return nil
	}
	return fmt.Errorf("%w: not a line of an export", ErrMalformed)
}
