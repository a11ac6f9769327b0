package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// lines is what was written into a fifo.
type lines struct {
	ch chan string
}

func fifo(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "fifo NAME...")
	for _, name := range args {
		path := ts.MkAbs(name)
		ts.Check(syscall.Mkfifo(path, 0o600))
		// Open for both, so that neither side waits for the other and the end
		// of one writer is not the end.
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		ts.Check(err)
		ts.Defer(func() { f.Close() })
		l := &lines{make(chan string, 10000)}
		ts.Value(key("fifos")).(map[string]*lines)[name] = l
		go func() {
			s := bufio.NewScanner(f)
			for s.Scan() {
				l.ch <- s.Text()
			}
		}()
	}
}

func waitline(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 || len(args) == 3, "waitline NAME REGEXP [VAR]")
	l, ok := ts.Value(key("fifos")).(map[string]*lines)[args[0]]
	if !ok {
		ts.Fatalf("%s is not a fifo", args[0])
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	deadline := time.After(patience)
	for {
		select {
		case line := <-l.ch:
			ts.Logf("%s: %s", args[0], line)
			m := re.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if len(args) == 3 {
				ts.Setenv(args[2], m[len(m)-1])
			}
			return
		case <-deadline:
			ts.Fatalf("no line in %s matches %s", args[0], args[1])
		}
	}
}

func grepEnv(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "grepenv FILE REGEXP VAR")
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile(args[0]))
	if len(m) != 2 {
		ts.Fatalf("%s does not match %s with one group", args[0], args[1])
	}
	ts.Setenv(args[2], m[1])
}

func jsonMember(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "json FILE PATH VAR")
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	ts.Setenv(args[2], member(ts, v, args[1]))
}

func member(ts *testscript.TestScript, v any, path string) string {
	for _, name := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n >= len(at) {
				ts.Fatalf("no member %s", path)
			}
			v = at[n]
		default:
			ts.Fatalf("no member %s", path)
		}
	}
	return fmt.Sprint(v)
}
