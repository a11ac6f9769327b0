package attack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

func startsWith(s string, any ...string) bool {
	for _, prefix := range any {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

// agentKey tries to read the agent's key, and the login.
func agentKey(_ context.Context, t *target) (finding, error) {
	f, err := readIn(t.StateDir, "agent-*.key", func([]byte) (finding, error) {
		return open("the agent's key can be read: whoever has it is the agent")
	})
	if err != nil || f.outcome == Open {
		return f, err
	}
	login, err := readIn(t.StateDir, "daemon-session.json", func([]byte) (finding, error) {
		return limited("the login can be read; what is secret in it is sealed under the agent's key")
	})
	if err != nil || login.outcome != Stopped {
		return login, err
	}
	return f, nil
}

// readIn reads the files of a directory that a pattern names.
func readIn(dir, pattern string, judge func([]byte) (finding, error)) (finding, error) {
	if _, err := os.ReadDir(dir); errors.Is(err, fs.ErrPermission) {
		return stopped("the directory %s is closed to this user (%v)", dir, unwrapped(err))
	}
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		return untried("there is no %s", filepath.Join(dir, pattern))
	}
	var refusal error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			return judge(text)
		}
		refusal = err
	}
	return stopped("the file is closed to this user (%v)", unwrapped(refusal))
}
