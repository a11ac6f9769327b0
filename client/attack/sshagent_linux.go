package attack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The messages of the SSH agent protocol that are sent here.
const (
	agentFailure   = 5
	agentList      = 11
	agentKeys      = 12
	agentSign      = 13
	agentAdd       = 17
	agentRemoveAll = 19
	agentLock      = 22
)

// agents returns the sockets of SSH agents of commands that run.
func (t *target) agents() []string {
	socks, _ := filepath.Glob(filepath.Join(t.Sock+".ssh", "*", "*"))
	return socks
}

// onAgent tries something on an SSH agent that is a running command's.
func onAgent(try func(sock string) (finding, error)) func(context.Context, *target) (finding, error) {
	return func(_ context.Context, t *target) (finding, error) {
		if _, err := os.ReadDir(t.Sock + ".ssh"); t.Isolated && errors.Is(err, os.ErrPermission) {
			return stopped("the kernel: the sockets of agents are in directories that are closed to others than their command")
		}
		socks := t.agents()
		if len(socks) == 0 {
			return untried("no command has an SSH agent now: run one with --ssh meanwhile")
		}
		return try(socks[0])
	}
}

// useAgent lists the keys of an agent.
func useAgent(sock string) (finding, error) {
	kind, _, err := agentCall(sock, agentList, nil)
	if err == nil && kind == agentKeys {
		return open("a running command's agent listed its keys; log-ins to listed hosts could be signed")
	}
	return limited("the agent does not answer to a process outside of the command; one that debugs the command could have it ask")
}

// signOther asks an agent to sign what is no log-in.
func signOther(sock string) (finding, error) {
	_, keys, err := agentCall(sock, agentList, nil)
	if err != nil || len(keys) < 8 {
		return untried("the agent lists no key: it answers to its command alone")
	}
	blob := keys[4:]
	size := binary.BigEndian.Uint32(blob)
	if int64(size) > int64(len(blob)-4) {
		return untried("the agent's list makes no sense")
	}
	request := append(framed(blob[4:4+size]), framed([]byte("cortex attack"))...)
	kind, _, err := agentCall(sock, agentSign, append(request, 0, 0, 0, 0))
	if err == nil && kind != agentFailure {
		return open("the agent signed a text that is no log-in")
	}
	return stopped("the daemon's agent refused to sign a text that is no log-in")
}

// changeAgent asks an agent for another key in it, or for none.
func changeAgent(sock string) (finding, error) {
	if kind, _, err := agentCall(sock, agentList, nil); err != nil || kind != agentKeys {
		return untried("the agent lists no key: it answers to its command alone")
	}
	for _, m := range []struct {
		what string
		kind byte
		body []byte
	}{
		{"take another key", agentAdd, append(framed([]byte("ssh-ed25519")), framed([]byte("x"))...)},
		{"remove its keys", agentRemoveAll, nil},
		{"be locked", agentLock, framed([]byte("x"))},
	} {
		kind, _, err := agentCall(sock, m.kind, m.body)
		if err == nil && kind != agentFailure {
			return open("the agent agreed to %s", m.what)
		}
	}
	return stopped("the daemon's agent refused to take keys, to remove them and to be locked")
}

func framed(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// agentCall sends an agent one message, and returns its answer.
func agentCall(sock string, kind byte, body []byte) (byte, []byte, error) {
	conn, err := net.Dial("unix", sock)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(framed(append([]byte{kind}, body...))); err != nil {
		return 0, nil, err
	}
	head := make([]byte, 5)
	if _, err := io.ReadFull(conn, head); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head)
	if size == 0 || size > 1<<20 {
		return 0, nil, fmt.Errorf("an answer of %d bytes", size)
	}
	answer := make([]byte, size-1)
	_, err = io.ReadFull(conn, answer)
	return head[4], answer, err
}
