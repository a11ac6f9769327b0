package locked

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrTooLarge is returned by [ReadFile] for a file beyond its limit.
var ErrTooLarge = errors.New("file is too large")

// ReadFile reads the rest of f into locked memory. The bytes go from the
// kernel straight there. It returns a buffer of the n bytes read, which is
// the caller's to destroy, or ErrTooLarge if there are more than max. The
// buffer of an empty file is there, with n = 0 and no bytes.
func ReadFile(f *os.File, max int) (b *Buffer, n int, err error) {
	if max < 0 {
		return nil, 0, fmt.Errorf("locked: limit of %d bytes", max)
	}
	b, err = NewBuffer(max + 1)
	if err != nil {
		return nil, 0, err
	}
	n, err = io.ReadFull(f, b.Bytes())
	switch {
	case err == nil:
		b.Destroy()
		return nil, 0, ErrTooLarge
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		b.Destroy()
		return nil, 0, err
	}
	b.shrink(n)
	return b, n, nil
}
