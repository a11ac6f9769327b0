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

// A content is what came of reading a file.
type content struct {
	text []byte
	info fs.FileInfo
	err  error
}

// read is ReadFile, which also tells of the file. To open a pipe cannot be stopped, so
// when ctx ends that is left to the end of the process, which is near.
func read(ctx context.Context, path string, most int64) ([]byte, fs.FileInfo, error) {
	contents := make(chan content)
	go func() {
		c := readAll(path, most)
		select {
		case contents <- c:
		case <-ctx.Done():
			clear(c.text)
		}
	}()
	select {
	case c := <-contents:
		return c.text, c.info, c.err
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func readAll(path string, most int64) (c content) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOCTTY, 0)
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
