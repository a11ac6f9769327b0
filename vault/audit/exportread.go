package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxLine bounds a line of an export: a text of an entry may take six
// characters for each byte of it, beside the entry itself.
const maxLine = 10 * MaxEncoding

// An ExportReader reads an export.
type ExportReader struct {
	// Header is its first line.
	Header ExportHeader
	// End is its last, once all records were read without an error.
	End ExportEnd

	lines *bufio.Scanner
}

// NewExportReader reads the first line of an export. It returns an ErrMalformed
// for another file, or the error of r.
func NewExportReader(r io.Reader) (*ExportReader, error) {
	x := &ExportReader{lines: bufio.NewScanner(r)}
	x.lines.Buffer(nil, maxLine)
	x.lines.Split(wholeLines)
	text, err := x.line()
	if err == nil {
		x.Header, err = ParseExportHeader(text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the head of the export: %w", err)
	}
	return x, nil
}

// Records yields the records, once. It ends after the first error: an
// [*ExportError] where the export ends in one, an ErrMalformed where a line
// makes no sense, the last is missing, or it is not the last or of other
// records; or the error of the reader. Whether the records are linked is for
// [Verifier] to say.
func (x *ExportReader) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		at := ExportEnd{End: x.Header.After}
		for {
			r, last, err := x.next(at)
			if last && err == nil {
				return
			}
			if !yield(r, err) || err != nil {
				return
			}
			at.Rows++
			at.End.Seq, at.End.RowHash = at.End.Seq+1, r.RowHash
		}
	}
}

// Verify reads the records and checks that they are linked, the first of them to
// the one before it that the header names, and that they reach the pinned one,
// unless that is nil; an ErrLost if that is too old. What makes no sense, and a
// missing last line, are breaks.
// Nothing in an export says whether it goes to the end of the chain.
func (x *ExportReader) Verify(pin *Pin) (Report, error) {
	v := NewVerifier(nil)
	v.After(x.Header.After)
	if pin != nil {
		v.Pin(*pin)
	}
	if err := v.Read(x.Records()); err != nil {
		return v.report, err
	}
	report := v.FinishOpen()
	return report, pin.Tied(report)
}

// next reads a line, which is a record or the last; at is what is read so far.
func (x *ExportReader) next(at ExportEnd) (r Record, last bool, err error) {
	text, err := x.line()
	if err != nil {
		return r, false, fmt.Errorf("after record %d: %w", at.End.Seq, err)
	}
	if x.End, err = ParseExportEnd(text); err == nil {
		return r, true, x.finish(at)
	}
	if e, err := ParseExportError(text); err == nil {
		return r, false, e
	}
	if r, err = ParseExportRecord(text); err != nil {
		return r, false, fmt.Errorf("after record %d: %w", at.End.Seq, err)
	}
	return r, false, nil
}

// finish compares the last line with what is read, and looks for more behind it.
func (x *ExportReader) finish(at ExportEnd) error {
	if x.End != at {
		return fmt.Errorf("%w: it says %d records up to %s, and has %d up to %s", ErrMalformed, x.End.Rows, x.End.End, at.Rows, at.End)
	}
	if text, err := x.line(); !errors.Is(err, errCutOff) || len(text) > 0 {
		return fmt.Errorf("%w: something follows the last line", ErrMalformed)
	}
	return nil
}

// errCutOff: there is no further line.
var errCutOff = fmt.Errorf("%w: the export is cut off", ErrMalformed)

// line reads a line, with its end.
func (x *ExportReader) line() ([]byte, error) {
	if x.lines.Scan() {
		return x.lines.Bytes(), nil
	}
	switch err := x.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%w: a line is too long", ErrMalformed)
	case err != nil:
		return nil, err
	}
	return nil, errCutOff
}

// wholeLines splits into lines with their ends.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil // no parser takes it
	}
	return 0, nil, nil
}
