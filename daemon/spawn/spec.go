package spawn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A Spec is a program to start.
type Spec struct {
	// Program is looked up in Env's PATH, unless it holds a slash, from Dir.
	Program string
	Args    []string // without the program
	Env     []string // NAME=VALUE
	// Secrets go into the environment, in place of variables of these names.
	Secrets []Secret
	// Files are in memory only and cannot be changed; the variables of these names
	// hold their paths, and so do arguments where these have {{NAME}}.
	Files []Secret
	// Exposed are on a disk.
	Exposed []Exposed
	// Stdin, if it is not nil, is what the program reads in place of its stream.
	Stdin *opaque.Bytes
	// Exact, if it is not nil, is what Program and Args mean.
	Exact *Exact
	// Needles are kept out of what the program prints.
	Needles []Secret
	// Umask is the file mode creation mask; -1 for the daemon's.
	Umask int
	// Limits are resource limits. None goes beyond the daemon's own.
	Limits []ipc.Limit

	// Ignored are the signals that the program begins by ignoring, Blocked those that
	// wait until it wants them.
	Ignored, Blocked Signals
	// Schedule is when the program has its turn, as far as it is not better than the
	// daemon's own.
	Schedule ipc.Schedule

	// Dir is the directory to start in.
	Dir *os.File
	// Streams are standard input, output and error; nil for /dev/null.
	Streams [3]*os.File
	// Further are descriptors beyond these; see [Spec.Withhold].
	Further []Further
	// Terminal is for a caller that has one; prepared.
	Terminal *Terminal
	// Owned, if it is not nil, hears who the program will be, before it is there. Without
	// its consent there will be none.
	Owned func(Owner) error
}

// A Secret is one variable.
type Secret struct {
	Name  string
	Value opaque.Bytes
}

// ErrSpec is in the chain of every error about a Spec that cannot be started
// whatever the system is like.
var ErrSpec = errors.New("cannot be run")

// Validate reports the first thing wrong with s. Values are not quoted.
func (s Spec) Validate() error {
	switch {
	case s.Program == "":
		return fmt.Errorf("%w: no program", ErrSpec)
	case slices.ContainsFunc(slices.Concat([]string{s.Program}, s.Args, s.Env), hasNUL):
		return fmt.Errorf("%w: an argument or a variable holds a NUL byte", ErrSpec)
	case !validFurther(s.Further):
		return fmt.Errorf("%w: descriptors that no program has", ErrSpec)
	case len(s.Schedule.CPUs) > ipc.MaxCPUs:
		return fmt.Errorf("%w: too many processors", ErrSpec)
	case !s.Exact.valid(s.Args):
		return fmt.Errorf("%w: its files are not those of its arguments", ErrSpec)
	}
	for _, v := range slices.Concat(s.Secrets, s.Files) {
		if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") {
			return fmt.Errorf("%w: %q cannot name a variable", ErrSpec, v.Name)
		}
	}
	for _, e := range s.Exposed {
		if e.Variable == "" || strings.ContainsAny(e.Variable, "=\x00") || !filepath.IsLocal(e.Path) || hasNUL(e.At) || filepath.Base(e.Path) == "." {
			return fmt.Errorf("%w: %q cannot be a file for %q", ErrSpec, e.Path, e.Variable)
		}
	}
	for _, v := range s.Secrets {
		if slices.Contains(v.Value.Reveal(), 0) {
			return fmt.Errorf("%w: the value of %s holds a NUL byte, which no variable can", ErrSpec, v.Name)
		}
	}
	return nil
}

func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }

// The form in which a Spec travels to the child. Numbers are big-endian; a
// text is its length in 4 bytes and its bytes; a list is the number of its
// elements in 4 bytes and them.
//
//	length of the rest   4
//	version              1   5
//	streams              1   bit 0 stdin, 1 stdout, 2 stderr: passed along; 3: stdin is a text;
//	                         4: an Exact follows
//	umask                4   or ffffffff
//	program              text
//	args, env            list of text
//	limits               list of: resource 4, soft 8, hard 8
//	ignored, blocked     8 each: a bit for each signal, the lowest for 1
//	schedule             nice value 1, policy 1, priority of I/O 2, list of 8 for the processors
//	further              list of: number 4
//	secrets, files       list of: name text, value text
//	exposed              list of: variable text, path for the program text, path text
//	stdin                text, with bit 3 of streams
//	exact                see there
//
// The first bytes carry the descriptors: directory, then streams, then the further ones.
const (
	specVersion = 7
	maxSpec     = 16 << 20
	noUmask     = 0xffffffff
)

// encode returns the form of s, which holds the secrets: wipe it.
func (s Spec) encode() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	n := s.size()
	if n > maxSpec {
		return nil, fmt.Errorf("%w: arguments and environment of %d bytes", ErrSpec, n)
	}
	b := make([]byte, 0, 4+n) // exactly: growing would leave copies
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, specVersion, s.streamBits())
	b = binary.BigEndian.AppendUint32(b, uint32(s.Umask))
	b = appendText(b, s.Program)
	b = appendTexts(b, s.Args)
	b = appendTexts(b, s.Env)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.Limits)))
	for _, l := range s.Limits {
		b = binary.BigEndian.AppendUint32(b, uint32(l.Resource))
		b = binary.BigEndian.AppendUint64(b, l.Soft)
		b = binary.BigEndian.AppendUint64(b, l.Hard)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(s.Ignored))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Blocked))
	b = appendFurther(appendSchedule(b, s.Schedule), s.Further)
	b = appendSecrets(b, s.Secrets)
	b = appendSecrets(b, s.Files)
	b = appendExposed(b, s.Exposed)
	if s.Stdin != nil {
		b = appendText(b, s.Stdin.Reveal())
	}
	return appendExact(b, s.Exact), nil
}

// size returns the length of the form behind its first 4 bytes.
func (s Spec) size() int {
	n := 1 + 1 + 4 + 4 + len(s.Program) + textsSize(s.Args) + textsSize(s.Env) + 4 + 20*len(s.Limits) + 8 + 8 + scheduleSize(s.Schedule) + 4 + 4*len(s.Further)
	n += secretsSize(s.Secrets) + secretsSize(s.Files) + exposedSize(s.Exposed) + s.Exact.size()
	if s.Stdin != nil {
		n += 4 + s.Stdin.Len()
	}
	return n
}

func textsSize(list []string) int {
	n := 4
	for _, t := range list {
		n += 4 + len(t)
	}
	return n
}

// The bits of streams for a standard input that is a text, and for an Exact.
const (
	stdinText = 1 << 3
	exactBit  = 1 << 4
)

func (s Spec) streamBits() (bits byte) {
	for i, f := range s.Streams {
		if f != nil {
			bits |= 1 << i
		}
	}
	if s.Stdin != nil {
		bits |= stdinText
	}
	if s.Exact != nil {
		bits |= exactBit
	}
	return bits
}

func appendText[T ~string | ~[]byte](b []byte, t T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(t))), t...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(list)))
	for _, t := range list {
		b = appendText(b, t)
	}
	return b
}

var (
	errForm = errors.New("malformed spec")
	// errVersion is about a spec from a daemon of another version, or for one: a daemon
	// runs on when its program is replaced, and spawners are new ones.
	errVersion = errors.New("the program of cortex was replaced since the daemon was started: start the daemon anew")
)

// decodeSpec reads the form behind its first 4 bytes, and which streams were
// passed along. The values of secrets are parts of b.
func decodeSpec(b []byte) (s Spec, streams byte, err error) {
	d := decoder{rest: b}
	if d.byte() != specVersion {
		return Spec{}, 0, errVersion
	}
	streams = d.byte()
	if umask := d.uint32(); umask == noUmask {
		s.Umask = -1
	} else {
		s.Umask = int(umask)
		d.check(umask <= 0o777)
	}
	s.Program = string(d.text())
	s.Args = d.texts()
	s.Env = d.texts()
	for range d.count(20) {
		s.Limits = append(s.Limits, ipc.Limit{Resource: int(d.uint32()), Soft: d.uint64(), Hard: d.uint64()})
	}
	s.Ignored, s.Blocked = Signals(d.uint64()), Signals(d.uint64())
	s.Schedule, s.Further = d.schedule(), d.further()
	s.Secrets, s.Files, s.Exposed = d.secrets(), d.secrets(), d.exposed()
	if streams&stdinText != 0 {
		s.Stdin = new(opaque.New(d.text()))
	}
	if streams&exactBit != 0 {
		s.Exact = d.exact()
	}
	d.check(len(d.rest) == 0 && streams < 2*exactBit)
	if d.bad || s.Validate() != nil {
		return Spec{}, 0, errForm
	}
	return s, streams, nil
}

// A decoder takes the form apart. Once something is wrong all that follows is
// zero.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) check(ok bool) {
	if !ok {
		d.bad, d.rest = true, nil
	}
}

func (d *decoder) take(n int) []byte {
	d.check(n <= len(d.rest))
	if d.bad {
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// count reads the length of a list whose elements have at least size bytes, so
// that no length makes room for more than there is.
func (d *decoder) count(size int) int {
	n := int(d.uint32())
	d.check(n <= len(d.rest)/size)
	if d.bad {
		return 0
	}
	return n
}

func (d *decoder) text() []byte { return d.take(int(d.uint32())) }

func (d *decoder) texts() []string {
	n := d.count(4)
	list := make([]string, 0, n)
	for range n {
		list = append(list, string(d.text()))
	}
	return list
}
