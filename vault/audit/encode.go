package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrMalformed is returned for bytes that are not an encoding this package
// writes, and for entries that it cannot write.
var ErrMalformed = errors.New("malformed audit record")

// MaxEncoding is the greatest size in bytes of an encoded entry.
const MaxEncoding = 1 << 20

// absent stands in the place of the length of a field that is not there.
const absent = math.MaxUint32

// The times that can be encoded, in seconds since 1970: the years 1 to 9999.
const minSecond, maxSecond = -62135596800, 253402300799

// Encode returns the canonical encoding of e, which [DecodeEntry] reads. The
// fields stand in the order of the struct, Actor, Resources and Caller in
// place, each as
//
//	+---------------------+----------------+
//	| length, u32         | length bytes   |
//	+---------------------+----------------+
//
// or as the length 0xffffffff alone if it is nil. All numbers are big-endian:
// Seq is 8 bytes, Time 8 bytes of seconds since 1970 and 4 of nanoseconds, PID
// 8 bytes in two's complement. Resources is one field that holds path and
// decision of each in turn, as fields.
//
// Encode encodes anything; [Link] is where entries beyond the limits, which
// could not be decoded, are refused.
func (e Entry) Encode() []byte {
	w := make(writer, 0, 512)
	w.uint64(e.Seq)
	w.string(e.ID)
	w.time(e.Time)
	w.string(e.Actor.Kind)
	w.string(e.Actor.ID)
	w.string(e.Actor.Namespace)
	w.string(e.Actor.Auth)
	w.optional(e.AgentID)
	w.optional(e.Project)
	w.string(e.Action)
	w.optional(e.Resource)
	w.resources(e.Resources)
	w.string(e.Status)
	w.pid(e.Caller.PID)
	for _, field := range e.Caller.strings() {
		w.optional(*field)
	}
	return w
}

// DecodeEntry decodes what Encode wrote, and nothing else: what it accepts
// encodes to the same bytes again. Any error is an ErrMalformed.
func DecodeEntry(enc []byte) (Entry, error) {
	if len(enc) > MaxEncoding {
		return Entry{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(enc))
	}
	r := reader{rest: enc}
	var e Entry
	e.Seq = r.uint64()
	e.ID = r.string()
	e.Time = r.time()
	e.Actor = Actor{Kind: r.string(), ID: r.string(), Namespace: r.string(), Auth: r.string()}
	e.AgentID = r.optional()
	e.Project = r.optional()
	e.Action = r.string()
	e.Resource = r.optional()
	e.Resources = r.resources()
	e.Status = r.string()
	e.Caller.PID = r.pid()
	for _, field := range e.Caller.strings() {
		*field = r.optional()
	}
	return e, r.end()
}

// strings lists the fields that follow PID, in order.
func (c *Caller) strings() [7]**string {
	return [...]**string{&c.BinarySHA256, &c.ArgvHash, &c.CWD, &c.GitCommit, &c.SourceIP, &c.Hostname, &c.OS}
}

// A writer is a buffer to which fields are appended.
type writer []byte

func (w *writer) bytes(b []byte) {
	*w = append(binary.BigEndian.AppendUint32(*w, uint32(len(b))), b...)
}

func (w *writer) string(s string) {
	*w = append(binary.BigEndian.AppendUint32(*w, uint32(len(s))), s...)
}

func (w *writer) absent() { *w = binary.BigEndian.AppendUint32(*w, absent) }

func (w *writer) optional(s *string) {
	if s == nil {
		w.absent()
		return
	}
	w.string(*s)
}

func (w *writer) uint64(n uint64) {
	*w = binary.BigEndian.AppendUint32(*w, 8)
	*w = binary.BigEndian.AppendUint64(*w, n)
}

func (w *writer) pid(n *int64) {
	if n == nil {
		w.absent()
		return
	}
	w.uint64(uint64(*n))
}

func (w *writer) time(t time.Time) {
	*w = binary.BigEndian.AppendUint32(*w, 12)
	*w = binary.BigEndian.AppendUint64(*w, uint64(t.Unix()))
	*w = binary.BigEndian.AppendUint32(*w, uint32(t.Nanosecond()))
}

func (w *writer) resources(rs []Resource) {
	length := 0
	for _, r := range rs {
		length += 4 + len(r.Path) + 4 + len(r.Decision)
	}
	*w = binary.BigEndian.AppendUint32(*w, uint32(length))
	for _, r := range rs {
		w.string(r.Path)
		w.string(r.Decision)
	}
}
