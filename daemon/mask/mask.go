// Package mask takes secrets out of what a program prints.
//
// A [Set] holds the forms in which the values are looked for: as they are, line
// by line, and as base64, hex, percent, JSON and shell encodings have them. A
// [Writer] passes a stream on and puts ‹cortex:NAME› in place of whatever it
// finds, however the stream is cut into pieces, and also where terminal
// sequences or carriage returns stand in between. What may be the beginning of a
// value is held back for as long as it may be.
//
// It works against accidents. A program that means to give a value away can
// reverse it, or print every other byte.
//
// Follow a byte through the package: encode.go makes the forms, set.go finds
// them in a text by looking at every few bytes of it, search.go does so in a
// stream, twice: in what came, and in what of it a terminal would show, which
// escape.go tells.
package mask

import "io"

// A Writer masks what passes through it. Make it with [Set.Writer].
type Writer struct {
	// SameWidth puts as many characters in place of a value as it had, for
	// programs that fill the screen.
	SameWidth bool

	dst   io.Writer
	plain search // in what came
	shown search // in what of it is shown
	parse escape
	out   []byte // to be written with what comes next
	err   error  // of dst
}

// bufferSize is how much a Writer gathers before it writes: what lies around a
// masked value goes out in one piece.
const bufferSize = 64 << 10

// Writer returns a Writer to dst. It is for one goroutine, and may be used until
// s is closed.
func (s *Set) Writer(dst io.Writer) *Writer {
	w := &Writer{dst: dst, out: make([]byte, 0, bufferSize)}
	w.plain = search{set: s, w: w, last: none, next: w.show}
	w.shown = search{set: s, w: w, last: none, next: w.put}
	return w
}

// Write masks p and writes what can be told of it. It returns the error of the
// underlying writer, if there ever was one.
func (w *Writer) Write(p []byte) (int, error) {
	w.plain.write(p)
	w.send()
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Flush writes what is held back, as the stream has ended.
func (w *Writer) Flush() error {
	w.plain.finish()
	w.shown.finish()
	w.send()
	return w.err
}

// few is how much of a value may be seen before it is known to be one.
const few = 4

// Release writes what is held back if that is fewer than 4 bytes, so that a
// person sees what they type. Should it turn out to have begun a value, the rest
// of that is masked.
func (w *Writer) Release() error {
	if w.plain.held()+w.shown.held() < few {
		w.plain.release(w.reveal)
		w.shown.release(w.put)
		w.send()
	}
	return w.err
}

// show takes what the first search has let go. Where nothing in it is hidden by
// a terminal, the second would find nothing else.
func (w *Writer) show(p []byte) {
	if w.shown.idle() && w.parse.idle() && !hides(p) {
		w.shown.last = none // it is behind what that has masked
		w.put(p)
		return
	}
	w.reveal(p)
}

// reveal has the second search look at p, whatever is in it.
func (w *Writer) reveal(p []byte) {
	for len(p) > 0 {
		n, visible := w.parse.next(p)
		if visible {
			w.shown.add(p[:n])
		} else {
			w.shown.skip(p[:n])
		}
		p = p[n:]
	}
	w.shown.scan()
}

// put takes what is to be written.
func (w *Writer) put(p []byte) {
	if len(w.out)+len(p) > cap(w.out) {
		w.send()
	}
	if len(p) >= cap(w.out)/2 && len(w.out) == 0 {
		w.write(p)
		return
	}
	for len(p) > 0 {
		n := min(len(p), cap(w.out)-len(w.out))
		w.out = append(w.out, p[:n]...)
		if p = p[n:]; len(p) > 0 {
			w.send()
		}
	}
}

func (w *Writer) send() {
	w.write(w.out)
	w.out = w.out[:0]
}

func (w *Writer) write(p []byte) {
	if w.err == nil && len(p) > 0 {
		_, w.err = w.dst.Write(p)
	}
}
