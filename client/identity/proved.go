package identity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxProvedFile leaves room for a hundred servers or more.
const maxProvedFile = 64 << 10

// ProvedPath returns the file in dir that lists the servers, one URL a line, at
// which an agent's key was proved. It outlives the login: less than a proof is not
// good enough there any more, whatever a server says of itself.
func ProvedPath(dir, agentID string) string { return filepath.Join(dir, "agent-"+agentID+".proved") }

// Proved reports whether the agent's key was proved at a server before.
func Proved(dir, agentID, serverURL string) (bool, error) {
	servers, err := provedAt(dir, agentID)
	return slices.Contains(servers, serverURL), err
}

// RememberProved keeps that the agent's key was proved at a server.
func RememberProved(dir, agentID, serverURL string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()
	servers, err := provedAt(dir, agentID)
	if err != nil || slices.Contains(servers, serverURL) {
		return err
	}
	return ReplaceFile(ProvedPath(dir, agentID), []byte(strings.Join(append(servers, serverURL), "\n")+"\n"))
}

func provedAt(dir, agentID string) ([]string, error) {
	text, err := readPrivate(ProvedPath(dir, agentID), maxProvedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(text)), err
}
