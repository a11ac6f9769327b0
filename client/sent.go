package client

import (
	"bytes"
	"io"
	"sync"
)

// A sent is the body of a request. It may hold secrets, and is wiped when the
// call is over and nobody reads it any more: a transport may go on reading a
// body after it has returned the answer.
type sent struct {
	bytes []byte

	mu      sync.Mutex // guards what follows
	readers int
	done    bool
}

// reader returns the body from its beginning. It never fails.
func (s *sent) reader() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers++
	return &sentReader{Reader: bytes.NewReader(s.bytes), of: s}, nil
}

// over says that no reader will be asked for any more.
func (s *sent) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	s.wipe()
}

// wipe is called with mu held.
func (s *sent) wipe() {
	if s.done && s.readers == 0 {
		clear(s.bytes)
	}
}

type sentReader struct {
	*bytes.Reader
	of   *sent
	once sync.Once
}

// Close ends the reading.
func (r *sentReader) Close() error {
	r.once.Do(func() {
		r.of.mu.Lock()
		defer r.of.mu.Unlock()
		r.of.readers--
		r.of.wipe()
	})
	return nil
}
