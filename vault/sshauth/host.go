package sshauth

import (
	"errors"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// maxHostLine is longer than any line about a host, in bytes.
const maxHostLine = 8 << 10

// isFingerprint reports whether a text is one, as ssh-keygen(1) prints it.
func isFingerprint(text string) bool {
	const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	sum, ok := strings.CutPrefix(text, "SHA256:")
	return ok && len(sum) == 43 && strings.Trim(sum, base64) == ""
}

// ParseHost returns the fingerprint of the host key in a line, which is one of
// known_hosts without a marker, or a fingerprint, and what people want to say
// about it. Names of hosts are for people: no client shows an agent which name
// it knows a host by.
func ParseHost(line string) (string, error) {
	if len(line) > maxHostLine || strings.ContainsFunc(line, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }) {
		return "", errors.New("is no line of printable text")
	}
	if first, _, _ := strings.Cut(line, " "); isFingerprint(first) {
		return first, nil
	}
	marker, _, key, _, _, err := ssh.ParseKnownHosts([]byte(line))
	switch {
	case err != nil:
		return "", errors.New("is neither a line of known_hosts nor a fingerprint SHA256:…")
	case marker != "":
		return "", errors.New("has a marker: name each host's own key")
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return "", errors.New("is a certificate: name the host's own key")
	}
	return ssh.FingerprintSHA256(key), nil
}
