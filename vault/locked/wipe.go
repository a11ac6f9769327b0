package locked

import (
	"hash"
	"runtime"
)

// Wipe overwrites b with zeros.
//
//go:noinline
func Wipe(b []byte) {
	clear(b)
	runtime.KeepAlive(b) // the stores must not be found dead
}

// wipeHash overwrites what a SHA-512 digest holds: its state by Reset, and its
// buffer by one byte less than a block, the most that is ever buffered.
func wipeHash(h hash.Hash) {
	h.Reset()
	h.Write(make([]byte, 127))
	h.Reset()
}

// How Scrubbed arranges the stack, in bytes: fn runs beneath an empty frame of
// padding, on reach that is overwritten. The garbage collector halves a stack
// of which less than a quarter is used, and leaves the old one in memory with
// all that stood on it. The padding keeps it from doing so to stacks of up to
// four times its size.
const (
	padding = 32 << 10
	reach   = 8 << 10
)

// Scrubbed runs fn and then overwrites the stack that fn ran on, where
// compilers leave copies of whatever passed through. The stack is grown
// beforehand, so that it is not moved meanwhile. fn and all that it calls may
// use 8 KiB; an Ed25519 signature takes a quarter of that.
//
// Signals are held back from the thread meanwhile, on Linux, and its vector
// registers are cleared afterwards: fn should be quick.
//
// It does its best and no more: goroutines that fn starts are not covered, a
// very deep stack may be moved after all, and if fn panics its stack stays as
// it is.
func Scrubbed(fn func()) {
	var q quiet
	q.begin()
	defer q.end()
	scrubbed(fn, false)
}

//go:noinline
func scrubbed(fn func(), never bool) {
	if never {
		// In the frame, but not worth the time to clear it.
		var empty [padding]byte
		Wipe(empty[:])
	}
	scrub()
	fn()
	scrub()
}

// scrub overwrites the stack below its caller.
//
//go:noinline
func scrub() {
	var stack [reach]byte
	Wipe(stack[:])
}

// sweep is a scrub for operations that are too quick for Scrubbed.
//
//go:noinline
func sweep() {
	var stack [2 << 10]byte
	Wipe(stack[:])
}
