package server_test

import (
	"encoding/base64"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault/sshauth/sshauthtest"
)

// logIn makes anew what a client sends to log in with the key git_key to the host
// that a message names by its key.
func (c cast) logIn(t *testing.T, m message) {
	t.Helper()
	text := base64.StdEncoding.EncodeToString
	for n := 4; n < 6; n++ {
		host, err := ssh.NewSignerFromKey(storyKey(n))
		if err != nil {
			t.Fatal(err)
		}
		if text(host.PublicKey().Marshal()) != m.text("host_key") {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(c.keys["git_key"]))
		if err != nil {
			return // it is not there yet
		}
		at := sshauthtest.NewSession(t, host)
		m["session"], m["host_signature"], m["request"] = text(at.Session), text(at.Signature), text(at.Login(key).Bytes())
		return
	}
	t.Fatalf("whose host key is %s?", m.text("host_key"))
}
