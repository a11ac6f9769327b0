package audit

import (
	"encoding/binary"
	"fmt"
	"time"
)

// A reader takes fields off the front of a buffer. After the first error
// every method returns zero values; end tells the error.
type reader struct {
	rest []byte
	err  error
}

// fail remembers the first thing that was wrong.
func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	r.rest = nil
}

// end returns what went wrong. Bytes left over are wrong too.
func (r *reader) end() error {
	if len(r.rest) > 0 {
		r.fail("bytes after the last field")
	}
	return r.err
}

// field returns the next field; ok is false if it is absent or broken.
func (r *reader) field() (b []byte, ok bool) {
	if r.err != nil {
		return nil, false
	}
	if len(r.rest) < 4 {
		r.fail("cut off in the length of a field")
		return nil, false
	}
	n := binary.BigEndian.Uint32(r.rest)
	r.rest = r.rest[4:]
	if n == absent {
		return nil, false
	}
	if uint64(n) > uint64(len(r.rest)) {
		r.fail("cut off in a field")
		return nil, false
	}
	b, r.rest = r.rest[:n:n], r.rest[n:]
	return b, true
}

// bytes returns a field that must be present.
func (r *reader) bytes() []byte {
	b, ok := r.field()
	if !ok {
		r.fail("a required field is absent")
	}
	return b
}

// fixed returns a field that must be present and n bytes long.
func (r *reader) fixed(n int) []byte {
	b := r.bytes()
	if len(b) != n {
		r.fail("a field of fixed size has another")
		return make([]byte, n)
	}
	return b
}

func (r *reader) string() string { return string(r.bytes()) }

// name returns the id of a vault or a key.
func (r *reader) name() string {
	b := r.bytes()
	if len(b) > maxName {
		r.fail("id too long")
		return ""
	}
	return string(b)
}

func (r *reader) optional() *string {
	b, ok := r.field()
	if !ok {
		return nil
	}
	s := string(b)
	return &s
}

func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.fixed(8)) }

func (r *reader) hash() [32]byte { return [32]byte(r.fixed(32)) }

func (r *reader) pid() *int64 {
	b, ok := r.field()
	if !ok {
		return nil
	}
	if len(b) != 8 {
		r.fail("a field of fixed size has another")
		return nil
	}
	n := int64(binary.BigEndian.Uint64(b))
	return &n
}

func (r *reader) time() time.Time {
	b := r.fixed(12)
	sec, nsec := int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint32(b[8:])
	if sec < minSecond || sec > maxSecond || nsec >= 1e9 {
		r.fail("time out of range")
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

func (r *reader) resources() []Resource {
	inner := reader{rest: r.bytes()}
	var rs []Resource
	for len(inner.rest) > 0 {
		rs = append(rs, Resource{Path: inner.string(), Decision: inner.string()})
	}
	if inner.end() != nil {
		r.fail("in the resources")
	}
	return rs
}
