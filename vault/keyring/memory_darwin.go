package keyring

import (
	"encoding/binary"
	"syscall"
)

// available returns the size of the machine's memory in bytes. macOS has no
// single figure for what is left of it, and swaps to an encrypted file.
func available() (n uint64, ok bool) {
	text, err := syscall.Sysctl("hw.memsize")
	if err != nil || len(text) > 8 {
		return 0, false
	}
	// The value is a 64-bit integer from which Sysctl, expecting a C string,
	// may have cut the last zero byte.
	var raw [8]byte
	copy(raw[:], text)
	return binary.LittleEndian.Uint64(raw[:]), true
}
