package store_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// The test binary runs itself to have another process: these are the things
// such a child can do, with a database path as its argument.
var children = map[string]func(path string) error{
	"hold":    hold,
	"write":   writeForever,
	"compact": compactForever,
	"limit":   writeToLimit,
	"fail":    failCommit,
}

const childVariable = "STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if do, ok := children[os.Getenv(childVariable)]; ok {
		if err := do(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A child is a running copy of the test binary.
type child struct {
	*exec.Cmd
	out   *bufio.Reader
	stdin io.WriteCloser
	errs  strings.Builder
}

// startChild starts a child; the end of the test kills it.
func startChild(t *testing.T, what, path string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: exec.Command(exe, path)}
	c.Env = append(os.Environ(), childVariable+"="+what)
	c.Stderr = &c.errs
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.stdin, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c
}

// line returns the next line the child writes, without its end.
func (c *child) line(t *testing.T) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("child: %v\n%s", err, c.errs.String())
	}
	return strings.TrimSuffix(s, "\n")
}

// openChild opens the database as a child does.
func openChild(path string) (*store.DB, error) {
	db, err := store.Open(store.Options{Path: path})
	if err == nil {
		db.SetMAC(storetest.MAC{})
	}
	return db, err
}

// hold opens the database and keeps it until stdin ends.
func hold(path string) error {
	db, err := openChild(path)
	if err != nil {
		return err
	}
	fmt.Println("open")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return db.Close()
}
