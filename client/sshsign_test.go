package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestSignSSH(t *testing.T) {
	token := opaque.New([]byte(strings.Repeat("ab", 32)))
	in := SSHLogin{Name: "K", HostKey: []byte("host"), Session: []byte("session"), HostSignature: []byte{0xff}, Request: []byte("request")}
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || string(body) != `{"name":"K","host_key":"aG9zdA==","session":"c2Vzc2lvbg==","host_signature":"/w==","request":"cmVxdWVzdA=="}` {
			t.Errorf("%s %s, %v", r.Method, body, err)
		}
		checkAttested(t, r, "/project/ssh-signatures/my-app", body, "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a")
		if got := r.Header.Get("X-Cortex-Caller-Pid"); got != "42" {
			t.Errorf("caller %q", got)
		}
		checkCaller(t, r)
		io.WriteString(w, `{"signature":"c2lnbmF0dXJl"}`)
	})
	if got, err := c.SignSSH(t.Context(), "my-app", token, vecSession(), CallerContext{PID: 42}, in); err != nil || string(got) != "signature" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := c.SignSSH(t.Context(), "a/b", token, nil, CallerContext{}, in); err == nil {
		t.Error("asks for a project of no name")
	}
	for _, answer := range []string{`{}`, `{"signature":""}`, `{"signature":"!"}`} {
		if _, err := answering(t, fixed(200, "", answer)).SignSSH(t.Context(), "p", token, nil, CallerContext{}, in); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
