package locked

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/vault/locked/lockedtest"
)

// TestFlags asks the kernel what it knows about the pages handed out.
func TestFlags(t *testing.T) {
	for _, test := range []struct {
		name   string
		where  func(func())
		secret bool
		flags  []string
	}{
		// Locked, not dumped, and not copied, or wiped, by fork.
		{"secret", asIs, true, []string{"lo", "dd", "dc"}},
		{"anonymous", withoutSecretMemory, false, []string{"lo", "dd", "wf"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.secret {
				needSecretMemory(t)
			}
			before := Status()
			var b *Buffer
			var err error
			test.where(func() { b, err = NewBuffer(5000) })
			if err != nil {
				t.Fatal(err)
			}
			defer b.Destroy()
			m := mappingOf(t, b)
			for _, f := range test.flags {
				if !m.Has(f) {
					t.Errorf("flag %q is not set: %s", f, m)
				}
			}
			if m.Secret() != test.secret {
				t.Errorf("from memfd_secret: %t: %s", m.Secret(), m)
			}
			want := before
			want.Buffers++
			want.Locked++
			want.DontDump++
			want.NotForked++
			if test.secret {
				want.Secret++
			}
			got := Status()
			want.Errors = got.Errors
			if !reflect.DeepEqual(got, want) || !got.OK() {
				t.Errorf("status went from %+v to %+v", before, got)
			}
			if (got.Err() == nil) != (got.Secret == got.Buffers) {
				t.Errorf("reasons: %v", got.Err())
			}
		})
	}
}

// needSecretMemory ends the test on kernels without memfd_secret. What is
// used in its place is tested everywhere.
func needSecretMemory(t *testing.T) {
	t.Helper()
	fd, err := unix.MemfdSecret(0)
	if err != nil {
		need.Unmet(t, "this kernel has no memfd_secret: ", err)
	}
	unix.Close(fd)
}

// mappingOf returns the mapping that b lies in.
func mappingOf(t *testing.T, b *Buffer) lockedtest.Mapping {
	t.Helper()
	at := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b.Bytes()))))
	list := lockedtest.Mappings(t, os.Getpid())
	i := slices.IndexFunc(list, func(m lockedtest.Mapping) bool { return m.Start <= at && at < m.End })
	if i < 0 {
		t.Fatalf("no mapping at %x", at)
	}
	return list[i]
}

// unlocked is what the child of TestWithoutLocking has to say.
type unlocked struct {
	Status Report
	OK     bool
	Errors []string
	Opened string
}

// TestWithoutLocking runs where RLIMIT_MEMLOCK allows nothing: keys must be
// usable, and the want of locking reported.
func TestWithoutLocking(t *testing.T) {
	_, text := lockedtest.Start(t, "no locking", nil)
	var got unlocked
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if got.Opened != "message" {
		t.Errorf("a key that is not locked does not work: %q", got.Opened)
	}
	s := got.Status
	if got.OK || s.Locked != 0 || s.Secret != 0 || s.Buffers == 0 || s.DontDump != s.Buffers || s.NotForked != s.Buffers {
		t.Errorf("reported: %+v", got)
	}
	if !slices.Contains(got.Errors, "locking: cannot allocate memory") && !slices.Contains(got.Errors, "locking: operation not permitted") {
		t.Errorf("reasons: %q", got.Errors)
	}
}

// noLocking is a child's part: it gives up its privileges and the right to
// lock memory, and then uses keys.
func noLocking() {
	check(unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}))
	dropPrivileges()
	key, err := NewRandom(KeySize)
	check(err)
	aead, err := NewAEAD(key)
	check(err)
	signer, err := GenerateSigner()
	check(err)
	_, err = signer.Sign(nil)
	check(err)
	nonce := make([]byte, 12)
	opened, err := aead.Open(nil, nonce, aead.Seal(nil, nonce, []byte("message"), nil), nil)
	check(err)

	got := unlocked{Status: Status(), OK: Status().OK(), Opened: string(opened)}
	for _, err := range got.Status.Errors {
		got.Errors = append(got.Errors, err.Error())
	}
	got.Status.Errors = nil
	text, err := json.Marshal(got)
	check(err)
	lockedtest.Wait(text)
}

// dropPrivileges makes root somebody else.
func dropPrivileges() {
	if os.Getuid() == 0 {
		check(unix.Setgroups(nil))
		check(unix.Setgid(65534))
		check(unix.Setuid(65534))
	}
}
