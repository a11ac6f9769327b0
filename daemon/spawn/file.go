package spawn

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// firstFile is the lowest descriptor of a file that the program inherits: scripts
// have those below for themselves.
const firstFile = 10

// inherit makes a file of each value, for the program to inherit, and returns
// variables with the paths. These can be opened as often as one likes, and are
// good in what the program starts, too, as long as that inherits its descriptors.
func inherit(files []Secret) (paths []Secret, err error) {
	for _, v := range files {
		path, err := handOver(v.Value.Reveal())
		if err != nil {
			return nil, err
		}
		paths = append(paths, Secret{v.Name, opaque.New([]byte(path))})
	}
	return paths, nil
}

// handOver makes a file of a text, for the program to inherit, and returns its path.
func handOver(text []byte) (path string, err error) {
	f, err := sealed(text)
	if err != nil {
		return "", err
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, firstFile)
	f.Close()
	if err != nil {
		return "", os.NewSyscallError("fcntl", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), nil
}

// inserted returns the arguments with the paths in place of {{NAME}}, where NAME is
// a variable that holds one. What else is in braces is the program's affair.
func inserted(args []string, paths []Secret) []string {
	var pairs []string
	for _, p := range paths {
		pairs = append(pairs, "{{"+p.Name+"}}", string(p.Value.Reveal()))
	}
	fill := strings.NewReplacer(pairs...)
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = fill.Replace(a)
	}
	return out
}

// readValue makes the value that the program is to read its standard input.
func (s *Spec) readValue() (err error) {
	if s.Stdin != nil {
		s.Streams[0], err = sealed(s.Stdin.Reveal())
	}
	return err
}
