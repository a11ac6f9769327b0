package sshagent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault/sshauth"
)

// The messages of the protocol (draft-ietf-sshm-ssh-agent) that an agent without keys
// has an answer to. All others are refused unread.
const (
	askIdentities = 11
	askSignature  = 13
	askExtension  = 27

	answerFailure    = 5
	answerSuccess    = 6
	answerIdentities = 12
	answerSignature  = 14
)

// changes are what other messages ask for, for people.
var changes = map[byte]string{
	9: "removing all keys", 17: "adding a key", 18: "removing a key", 19: "removing all keys", 20: "adding a smart card",
	21: "removing a smart card", 22: "locking", 23: "unlocking", 25: "adding a key", 26: "adding a smart card",
}

// sessionBind is the extension by which OpenSSH tells which host a connection is
// used for: PROTOCOL.agent, section 1.
const sessionBind = "session-bind@openssh.com"

// maxFrame is more than a message about a request to log in has, in bytes.
const maxFrame = 2 * sshauth.MaxMessage

var (
	errFrame = fmt.Errorf("%w: a message that is empty, or longer than %d bytes", sshauth.ErrRefused, maxFrame)
	errShape = fmt.Errorf("%w: a message that cannot be read", sshauth.ErrRefused)
)

// readFrame reads one message: its kind, and the rest.
func readFrame(r io.Reader) (kind byte, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return 0, nil, errFrame
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(r, frame); err != nil {
		return 0, nil, err
	}
	return frame[0], frame[1:], nil
}

// writeFrame sends one message.
func writeFrame(w io.Writer, kind byte, body []byte) error {
	frame := binary.BigEndian.AppendUint32(nil, uint32(1+len(body)))
	_, err := w.Write(append(append(frame, kind), body...))
	return err
}

// A signRequest asks for a signature of Data with the key whose public half Key is.
type signRequest struct {
	Key, Data []byte
	Flags     uint32
}

// The flags by which a client says how an RSA key is to sign.
var flags = map[string]uint32{ssh.KeyAlgoRSASHA256: 2, ssh.KeyAlgoRSASHA512: 4}

// An extension is a message whose kind is a name.
type extension struct {
	Name     string
	Contents []byte `ssh:"rest"`
}

// A bindRequest is what a sessionBind has.
type bindRequest struct {
	HostKey, Session, Signature []byte
	Forwarding                  bool
}

// parse reads what is to be written again as it was read.
func parse[T any](body []byte) (T, error) {
	var m T
	if err := ssh.Unmarshal(body, &m); err != nil || !bytes.Equal(ssh.Marshal(m), body) {
		return m, errShape
	}
	return m, nil
}

// identities returns the list of some keys.
func identities(keys []Key) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(len(keys)))
	for _, k := range keys {
		body = append(body, ssh.Marshal(struct {
			Key     []byte
			Comment string
		}{k.Public.Marshal(), k.Path})...)
	}
	return body
}
