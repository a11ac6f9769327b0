package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// maxRow is the longest encoding of a row, in bytes. The border takes bodies of
// 2 MiB; a row may hold one, with what encryption and framing add.
const maxRow = 4 << 20

// Rows are deterministic CBOR (RFC 8949, 4.2.1): shortest forms, sorted keys,
// no indefinite lengths, no tags; times are RFC 3339 text in UTC.
var encoding = must(cbor.EncOptions{
	Sort:          cbor.SortCoreDeterministic,
	ShortestFloat: cbor.ShortestFloat16,
	NaNConvert:    cbor.NaNConvert7e00,
	InfConvert:    cbor.InfConvertFloat16,
	IndefLength:   cbor.IndefLengthForbidden,
	Time:          cbor.TimeRFC3339NanoUTC,
	TagsMd:        cbor.TagsForbidden,
}.UserBufferEncMode())

// Text is not checked for UTF-8: that is for whoever lets it in, and a row
// that was written must be readable.
var decoding = must(cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	MaxNestedLevels:   16,
	MaxArrayElements:  1 << 17,
	MaxMapPairs:       1 << 17,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	UTF8:              cbor.UTF8DecodeInvalid,
}.DecMode())

func must[M any](mode M, err error) M {
	if err != nil {
		panic("store: " + err.Error())
	}
	return mode
}

// encode returns room zero bytes followed by the encoding of row.
func encode[R any](row R, room int) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(room + 256)
	buf.Write(make([]byte, room))
	if err := encoding.MarshalToBuffer(row, &buf); err != nil {
		return nil, fmt.Errorf("encoding row: %w", err)
	}
	body := buf.Bytes()[room:]
	if len(body) > maxRow {
		return nil, fmt.Errorf("%w: row of %d bytes", ErrTooLarge, len(body))
	}
	// What is beyond the limits of decode must not be written.
	if err := decoding.Wellformed(body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return buf.Bytes(), nil
}

// decode reads what encode wrote, without its room. It keeps nothing of body.
func decode[R any](body []byte) (row R, err error) {
	if len(body) > maxRow {
		return row, fmt.Errorf("%w: row of %d bytes", ErrTooLarge, len(body))
	}
	if len(body) == 0 || body[0] == cborNull || body[0] == cborUndefined {
		return row, errors.New("empty row") // would decode as the zero row
	}
	if err := decoding.Unmarshal(body, &row); err != nil {
		var zero R
		return zero, err
	}
	return row, nil
}

const (
	cborNull      = 0xf6
	cborUndefined = 0xf7
)
