package secretfile

import (
	"context"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ReadFile returns what is in a file that a person named, and most+1 bytes of a
// longer one. Of a pipe that is everything until its writers are done, and it waits
// for the first of them, until ctx ends.
func ReadFile(ctx context.Context, path string, most int64) ([]byte, error) {
	text, _, err := read(ctx, path, most)
	return text, err
}

// Open opens a file that a person named, for reading what is longer than memory
// should hold. Until ctx ends it waits for the writer of a pipe, and what it
// returned for what that writes.
func Open(ctx context.Context, path string) (io.ReadCloser, error) {
	type opened struct {
		file *os.File
		err  error
	}
	o, err := await(ctx, func() (o opened) {
		o.file, o.err = open(path)
		return o
	}, func(late opened) { late.file.Close() })
	if err != nil {
		return nil, err
	}
	if o.err != nil {
		return nil, o.err
	}
	return &reader{o.file, ctx.Err, context.AfterFunc(ctx, func() { o.file.Close() })}, nil
}

// A reader is a file that is closed early when nobody wants it any more, which
// ends a Read that waits.
type reader struct {
	file   *os.File
	ended  func() error
	forget func() bool
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.file.Read(b)
	if ended := r.ended(); err != nil && ended != nil {
		err = ended
	}
	return n, err
}

func (r *reader) Close() error {
	r.forget()
	return r.file.Close()
}

// A content is what came of reading a file.
type content struct {
	text []byte
	info fs.FileInfo
	err  error
}

// read is ReadFile, which also tells of the file.
func read(ctx context.Context, path string, most int64) ([]byte, fs.FileInfo, error) {
	c, err := await(ctx, func() content { return readAll(path, most) }, func(late content) { clear(late.text) })
	if err != nil {
		return nil, nil, err
	}
	return c.text, c.info, c.err
}

// await returns what fn does. To open a pipe cannot be stopped, so when ctx ends
// that is left to the end of the process, which is near, and drop gets what came of
// it all the same.
func await[T any](ctx context.Context, fn func() T, drop func(T)) (done T, err error) {
	results := make(chan T)
	go func() {
		result := fn()
		select {
		case results <- result:
		case <-ctx.Done():
			drop(result)
		}
	}()
	select {
	case done = <-results:
		return done, nil
	case <-ctx.Done():
		return done, ctx.Err()
	}
}

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOCTTY, 0)
}

func readAll(path string, most int64) (c content) {
	f, err := open(path)
	if err != nil {
		return content{err: err}
	}
	defer f.Close()
	if c.info, c.err = f.Stat(); c.err != nil {
		return c
	}
	text := make([]byte, most+1) // of one piece: nothing stays behind where it grew
	n, err := io.ReadFull(f, text)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		clear(text)
		return content{err: err}
	}
	c.text = text[:n]
	return c
}
