package redteam

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault/sshauth/sshauthtest"
)

// What a command does with its SSH agent, in the agent's own words.
var sshMoves = map[string]hostMove{
	"ssh-key":              sshKeyTaken,
	"ssh-unlisted-host":    sshUnlisted,
	"ssh-other-name":       sshListed,
	"ssh-listed-host":      sshListed,
	"ssh-far-session":      sshListed, // whose session it is nobody can tell
	"ssh-forwarded-unsaid": sshListed, // nor where its other end is
	"ssh-bind":             sshBind,
	"ssh-agent-busy":       sshBusy,
	"ssh-forwarded":        sshForwarded,
	"ssh-other-signature":  sshOther,
	"ssh-agent-keys":       sshKeys,
}

// What agents say.
const (
	agentDone   = 6
	agentLists  = 12
	agentSigned = 14
)

// sshHost keeps an SSH key for the host's project, once, with a host that it logs in
// to.
func (h *host) sshHost(t *testing.T) ssh.Signer {
	t.Helper()
	h.sshOnce.Do(func() { h.listed = h.sshKey(stage) })
	if h.listed == nil {
		t.Fatal("there is no SSH key, as another move says")
	}
	return h.listed
}

// talk has a command with an SSH agent send it messages; one that is empty stands for
// a new connection.
func (h *host) talk(t *testing.T, messages ...[]byte) (answers [][]byte) {
	t.Helper()
	h.sshHost(t)
	var lines strings.Builder
	for _, m := range messages {
		fmt.Fprintln(&lines, hex.EncodeToString(m))
	}
	cmd := h.withSSH(t, tool(), "agent")
	cmd.Stdin = strings.NewReader(lines.String())
	r := finish(t, cmd)
	if r.status != 0 {
		t.Fatalf("%+v", r)
	}
	for line := range strings.Lines(r.stdout) {
		answer, _ := hex.DecodeString(strings.TrimSpace(line)) // or it was closed
		answers = append(answers, answer)
	}
	return answers
}

func (h *host) withSSH(t *testing.T, command ...string) *exec.Cmd {
	t.Helper()
	cmd := h.launcher(t, h.alice, h.project, h.variable, command...)
	cmd.Args = slices.Insert(cmd.Args, 2, "--ssh", sshVariable)
	return cmd
}

// key returns the public half of the key that the agent lists.
func (h *host) key(t *testing.T) ssh.PublicKey {
	t.Helper()
	answers := h.talk(t, []byte{11})
	if len(answers) != 1 {
		t.Fatalf("%x", answers)
	}
	list := answers[0]
	if len(list) < 9 || list[0] != agentLists {
		t.Fatalf("%x", list)
	}
	size := binary.BigEndian.Uint32(list[5:])
	key, err := ssh.ParsePublicKey(list[9 : 9+size])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func text(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// bindTo tells an agent which session its connection is for.
func bindTo(s sshauthtest.Host, forwarded byte) []byte {
	return slices.Concat([]byte{27}, text([]byte("session-bind@openssh.com")), text(s.Key()), text(s.Session), text(s.Signature), []byte{forwarded})
}

// signFor asks an agent to sign the log-in to a session.
func signFor(s sshauthtest.Host, key ssh.PublicKey) []byte {
	return slices.Concat([]byte{13}, text(key.Marshal()), text(s.Login(key).Bytes()), []byte{0, 0, 0, 0})
}

func signed(answer []byte) bool { return len(answer) > 0 && answer[0] == agentSigned }

// sshListed has a log-in to a listed host signed.
func sshListed(t *testing.T, h *host) outcome {
	key := h.key(t)
	s := sshauthtest.NewSession(t, h.listed)
	answers := h.talk(t, bindTo(s, 0), signFor(s, key))
	return unless(signed(answers[1]), stopped)
}

// other has a log-in signed, as it should be, and something else, which should not.
func (h *host) other(t *testing.T, key ssh.PublicKey, messages ...[]byte) outcome {
	t.Helper()
	s := sshauthtest.NewSession(t, h.listed)
	answers := h.talk(t, append([][]byte{bindTo(s, 0), signFor(s, key), nil}, messages...)...)
	if len(answers) < 3 || !signed(answers[1]) {
		t.Fatalf("not even a log-in to a listed host is signed: %x", answers)
	}
	return unless(slices.ContainsFunc(answers[2:], signed), stopped)
}

func sshKeyTaken(t *testing.T, h *host) outcome {
	h.sshHost(t)
	r := finish(t, h.launcher(t, h.alice, h.project, sshVariable, told(sshVariable)...))
	if untold(r.stdout) != "" {
		return open
	}
	t.Log(r.stderr)
	cmd := h.withSSH(t, "sh", "-c", "env")
	if r := finish(t, cmd); strings.Contains(r.stdout, "PRIVATE") || strings.Contains(r.stdout, sshVariable+"=") {
		return open
	}
	return stopped
}

func sshUnlisted(t *testing.T, h *host) outcome {
	key := h.key(t)
	s := sshauthtest.NewHost(t)
	return h.other(t, key, bindTo(s, 0), signFor(s, key))
}

func sshBind(t *testing.T, h *host) outcome {
	key := h.key(t)
	one, two := sshauthtest.NewSession(t, h.listed), sshauthtest.NewSession(t, h.listed)
	bad := two
	bad.Signature = one.Signature
	return h.other(t, key,
		bindTo(one, 0), bindTo(two, 0), signFor(two, key), nil,
		bindTo(bad, 0), signFor(bad, key), nil,
		signFor(one, key), nil,
		bindTo(one, 1), signFor(one, key))
}

func sshForwarded(t *testing.T, h *host) outcome {
	key := h.key(t)
	s := sshauthtest.NewSession(t, h.listed)
	return h.other(t, key, bindTo(s, 1), signFor(s, key))
}

// More connections than there may be, and more log-ins than in a minute.
func sshBusy(t *testing.T, h *host) outcome {
	key := h.key(t)
	s := sshauthtest.NewSession(t, h.listed)
	var many [][]byte
	for range 20 {
		many = append(many, nil, []byte{11})
	}
	lists := 0
	for _, answer := range h.talk(t, many...) {
		if len(answer) > 0 && answer[0] == agentLists {
			lists++
		}
	}
	logins := [][]byte{bindTo(s, 0)}
	for range 130 {
		logins = append(logins, signFor(s, key))
	}
	signatures := 0
	for _, answer := range h.talk(t, logins...) {
		if signed(answer) {
			signatures++
		}
	}
	huge := h.talk(t, append([]byte{11}, make([]byte, 40<<10)...))
	t.Logf("%d of 20 connections, %d of 130 log-ins, %d bytes of an answer to a huge message", lists, signatures, len(huge[0]))
	if lists == 0 || signatures == 0 {
		return stopped
	}
	return unless(lists == 20 || signatures == 130 || len(huge[0]) > 1, limited)
}

// A text, a hash, a file or a commit, the log-in to another session or host, and with
// another key.
func sshOther(t *testing.T, h *host) outcome {
	key := h.key(t)
	one, two, unlisted := sshauthtest.NewSession(t, h.listed), sshauthtest.NewSession(t, h.listed), sshauthtest.NewHost(t)
	sign := func(what []byte) []byte {
		return slices.Concat([]byte{13}, text(key.Marshal()), text(what), []byte{0, 0, 0, 0})
	}
	another, err := ssh.NewSignerFromKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	file := slices.Concat([]byte("SSHSIG"), text([]byte("git")), text(nil), text([]byte("sha512")), text(make([]byte, 64)))
	return h.other(t, key,
		bindTo(one, 0), sign([]byte("cortex attack")), sign(make([]byte, 32)), sign(file), signFor(two, key), signFor(unlisted, key),
		signFor(one, another.PublicKey()), sign(one.Hostbound(two.Login(key)).Bytes()))
}

// Another key for the agent, none, and a lock.
func sshKeys(t *testing.T, h *host) outcome {
	blob := h.key(t).Marshal()
	seed := newKey(t)
	add := slices.Concat(text([]byte("ssh-ed25519")), text(seed[32:]), text(seed), text([]byte("comment")))
	answers := h.talk(t,
		append([]byte{17}, add...), append([]byte{25}, append(add, 1, 0, 0, 0, 60)...), append([]byte{18}, text(blob)...), []byte{19},
		append([]byte{22}, text([]byte("x"))...), append([]byte{23}, text([]byte("x"))...), []byte{11})
	for _, answer := range answers[:len(answers)-1] {
		if len(answer) > 0 && answer[0] == agentDone {
			return open
		}
	}
	return unless(len(answers) != 7 || !strings.Contains(string(answers[6]), string(blob)), stopped)
}
