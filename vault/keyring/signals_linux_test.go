package keyring

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/locked/lockedtest"
)

// trials is how often a key is made while a signal arrives.
const trials = 300

// mask keeps what a child tells of its keys from being found as one.
const mask = 0xa5

// A signal that arrives while a key is made writes the registers to the
// thread's signal stack. It must not find the key there.
func TestSignalsFindNoNewKey(t *testing.T) {
	pid, report := lockedtest.Start(t, "interrupted", nil)
	needles := map[string][]byte{}
	for key := range slices.Chunk(report, KEKSize) {
		for i := range key {
			key[i] ^= mask
		}
		needles[string(key[:4])] = key
	}
	for _, hit := range lockedtest.Scan(t, pid, needles) {
		if !hit.Mapping.Has("lo") {
			t.Errorf("outside of locked memory: %s", hit)
		}
	}
}

// interrupted is a child's part: it makes keys, each on a thread of its own,
// which gets one signal meanwhile.
func interrupted() {
	report := make([]byte, trials*KEKSize)
	var all sync.WaitGroup
	for i := range trials {
		var tid atomic.Int64
		made := make(chan bool)
		all.Add(1)
		go func() {
			runtime.LockOSThread()
			tid.Store(int64(unix.Gettid()))
			k, err := NewKEK(1)
			check(err)
			key, err := k.Derive("row")
			check(err)
			key.Destroy()
			close(made)
			into := report[i*KEKSize:][:KEKSize]
			for j, b := range k.key.Bytes() {
				into[j] = b ^ mask
			}
			all.Done()
			select {} // the thread stays, and its signal stack
		}()
		for tid.Load() == 0 {
		}
		for begin := time.Now(); time.Since(begin) < time.Duration(i)*time.Microsecond/2; {
		}
		unix.Tgkill(unix.Getpid(), int(tid.Load()), unix.SIGURG)
		<-made
	}
	all.Wait()
	lockedtest.Wait(report)
}
