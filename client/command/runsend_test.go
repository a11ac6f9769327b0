package command

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// A run can be as long as it likes, and be told of as many signals.
func TestAnyNumberOfLines(t *testing.T) {
	const line = `{"ok":true,"ack":10}` + "\n"
	n := 2 * ipc.MaxLine / len(line)
	lines := make(chan ipc.Response)
	done := make(chan error, 1)
	in, out := io.Pipe()
	go func() {
		text := strings.Repeat(line, 1000)
		for range n / 1000 {
			io.WriteString(out, text)
		}
		io.WriteString(out, `{"ok":true,"exit_code":0}`+"\n")
	}()
	go func() { defer close(lines); done <- responses(in, lines) }()
	got := 0
	for range lines {
		got++
	}
	if err := <-done; err != nil || got != n/1000*1000+1 {
		t.Errorf("%d lines, %v", got, err)
	}
}

// A line has an end all the same.
func TestLinesAreBounded(t *testing.T) {
	lines := make(chan ipc.Response)
	endless := io.MultiReader(strings.NewReader(`{"error":"`), forever{})
	if err := responses(endless, lines); err == nil {
		t.Error("no error")
	}
}

// A command that the daemon has not read, or has no place for, is sent again.
func TestSentAgain(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for _, answer := range []string{"", `{"error":"busy","error_code":"busy"}`, `{"ok":true,"queued":true}` + "\n" + `{"ok":true,"exit_code":7}`} {
			conn, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			in := bufio.NewReader(io.LimitReader(conn, 1))
			if answer != "" {
				in = bufio.NewReader(conn)
			}
			in.ReadString('\n') // else one byte: the rest lies unread
			if answer != "" {
				fmt.Fprintln(conn, answer)
			}
			conn.Close()
		}
	}()
	r, queued := requestTo(t, sock), 0
	r.news = func(m ipc.Response) {
		if m.Queued {
			queued++
		}
	}
	if status, err := r.send(t.Context()); status != 7 || err != nil || queued != 1 {
		t.Errorf("%d, %v, queued %d times", status, err, queued)
	}
}

// It is not where it may have been started, and where nobody is left to send it to.
func TestNotSentAgain(t *testing.T) {
	for name, row := range map[string]struct {
		all  bool // of the request is read
		want string
	}{
		"read":   {true, "the daemon has ended, and with it the command"},
		"unread": {false, "the daemon is not running"},
	} {
		t.Run(name, func(t *testing.T) {
			sock := filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", sock)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				conn, err := l.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				l.Close()
				in := io.LimitReader(conn, 1)
				if row.all {
					in = conn
				}
				bufio.NewReader(in).ReadString('\n')
				conn.Close()
			}()
			if _, err := requestTo(t, sock).send(t.Context()); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func requestTo(t *testing.T, sock string) *runRequest {
	t.Helper()
	r, err := newRunRequest(sock, "app", "", nil, []string{"true"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

// forever is an endless text.
type forever struct{}

func (forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
