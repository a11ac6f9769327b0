package harden

import (
	"fmt"

	"github.com/cortex-auth/cortex/vault/locked"
)

// keyMemory is the name of that measure.
const keyMemory = "locked memory"

// Memory tries what the memory for a key gets here, and changes nothing.
func Memory() Measure {
	b, err := locked.NewBuffer(1)
	if err != nil {
		return took(keyMemory, "", err)
	}
	b.Destroy()
	return memoryOf(locked.Status())
}

// memoryOf judges the memory that keys were given so far.
func memoryOf(r locked.Report) Measure {
	if n := kept(r); n < r.Buffers {
		return Measure{Name: keyMemory, Detail: fmt.Sprintf("of %d pages for keys %d lack some of it: %v", r.Buffers, r.Buffers-n, r.Err())}
	}
	if r.Secret == r.Buffers {
		return Measure{Name: keyMemory, OK: true, Detail: "keys never get to swap or core dumps, and not even root reads them"}
	}
	return Measure{Name: keyMemory, OK: true, Detail: "keys never get to swap or core dumps"}
}
