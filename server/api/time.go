package api

import (
	"fmt"
	"time"
)

// timeLayout is the form of every timestamp in a JSON body: UTC, whole
// seconds, no zone.
const timeLayout = "2006-01-02 15:04:05"

// A Time is a point in time with a resolution of one second. On the wire it
// is "2006-01-02 15:04:05" in UTC; RFC 3339 is understood as well. Nullable
// timestamps are *Time.
type Time struct{ time.Time }

// NewTime returns t in UTC, cut to whole seconds.
func NewTime(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// ParseTime reads either form.
func ParseTime(s string) (Time, error) {
	if t, err := time.Parse(timeLayout, s); err == nil {
		return NewTime(t), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return Time{}, fmt.Errorf("not a timestamp: want %q in UTC or RFC 3339", timeLayout)
	}
	return NewTime(t), nil
}

// String returns the form used on the wire.
func (t Time) String() string { return t.UTC().Format(timeLayout) }

// MarshalText returns the form used on the wire.
func (t Time) MarshalText() ([]byte, error) {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("year %d has no wire form", y)
	}
	return []byte(t.String()), nil
}

// MarshalJSON returns the quoted form used on the wire.
func (t Time) MarshalJSON() ([]byte, error) {
	b, err := t.MarshalText()
	if err != nil {
		return nil, err
	}
	return append(append([]byte{'"'}, b...), '"'), nil
}

// UnmarshalText reads either form.
func (t *Time) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTime(string(b))
	return err
}

// UnmarshalJSON reads a string in either form; null leaves t alone.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("not a timestamp: want a string")
	}
	return t.UnmarshalText(b[1 : len(b)-1])
}
