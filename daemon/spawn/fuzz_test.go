package spawn

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func FuzzSpec(f *testing.F) {
	for _, s := range []Spec{
		{Program: "true", Umask: -1},
		{
			Program: "/bin/sh", Args: []string{"-c", "", "\xff"}, Env: []string{"A=1", "odd"}, Umask: 0o022,
			Limits:  []ipc.Limit{{Resource: 7, Soft: 1, Hard: 1<<64 - 1}},
			Further: []Further{{Number: 3}, {Number: ipc.MaxDescriptor}}, Ignored: 1, Blocked: 1 << 63, Schedule: ipc.Schedule{Nice: -20, Policy: 5, IO: 0x6007, CPUs: []uint64{1, 0}},
			Secrets: []Secret{{"KEY", opaque.New([]byte("value\n"))}, {"EMPTY", opaque.New(nil)}},
			Files:   []Secret{{"KEY_FILE", opaque.New([]byte("a\x00b"))}}, Stdin: new(opaque.New([]byte("typed"))),
			Streams: [3]*os.File{0: os.Stdin, 2: os.Stderr},
		},
		{Program: "cat", Args: []string{"{{C}}"}, Umask: -1, Exposed: []Exposed{{Variable: "C", At: "/srv/c", Path: "c"}}},
		{Program: "ls", Umask: -1, Exact: &Exact{Dir: "/", Path: "/bin/ls", Program: Identity{1, 2, 3, 4, -5}}},
		{
			Program: "x", Args: []string{"a", "--b=c"}, Umask: -1, Exact: &Exact{
				Path: "./x", Program: Identity{Ino: 1}, Interpreter: &Interpreter{"/bin/sh", Identity{Ino: 2}, []string{"/bin/sh", "-e"}},
				Files:  []File{{0, 0, Identity{Ino: 3}}, {1, 1, Identity{Size: 1 << 40}}},
				Others: []Other{{0, 0, unix.S_IFIFO, 5, 6}, {1, 1, unix.S_IFDIR, 0, 0}}, EmptyHome: true,
				Copies: []Copy{{-1, []byte("#!/bin/sh\n")}, {1, nil}},
			},
		},
	} {
		b, err := s.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[4:])
	}
	f.Add([]byte{})
	f.Add([]byte{specVersion, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, streams, err := decodeSpec(b)
		if err != nil {
			return
		}
		for i := range s.Streams {
			if streams&(1<<i) != 0 {
				s.Streams[i] = os.Stdin
			}
		}
		again, err := s.encode()
		if err != nil || !bytes.Equal(again[4:], b) || binary.BigEndian.Uint32(again) != uint32(len(b)) {
			t.Errorf("%x\nbecame\n%x, %v", b, again, err)
		}
		if cap(again) != len(again) {
			t.Error("the buffer was grown: copies of secrets are left behind")
		}
	})
}

func FuzzEnvironment(f *testing.F) {
	f.Add("A=1\x00B=2\x00A=3", "A", "secret")
	f.Add("", "PATH", "")
	f.Add("=x\x00novalue\x00KEY", "KEY", "a=b")
	f.Fuzz(func(t *testing.T, list, name, value string) {
		env := strings.Split(list, "\x00")
		spec := Spec{Program: "p", Env: env, Secrets: []Secret{{name, opaque.New([]byte(value))}}}
		if spec.Validate() != nil {
			return
		}
		got := environment(env, spec.Secrets)
		if v, ok := Lookup(got, name); !ok || v != value {
			t.Errorf("%s is %q", name, v)
		}
		same := func(v string) bool { n, _, _ := strings.Cut(v, "="); return n == name }
		if slices.ContainsFunc(got[:len(got)-1], same) {
			t.Errorf("%s is there twice: %q", name, got)
		}
		if want := slices.DeleteFunc(env, same); !slices.Equal(got[:len(got)-1], want) {
			t.Errorf("the others are %q, not %q", got, want)
		}
	})
}
