package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/server/api"
)

// A webhook posts to a program, which can tell by the signature that it was
// this vault.
type webhook struct {
	URL    api.Value `json:"url"`
	Secret api.Value `json:"secret"`
}

const minSecret = 16

func (w webhook) check() error {
	if n := w.Secret.Len(); n < minSecret || n > 256 {
		return bad("secret", "must be 16 to 256 bytes long")
	}
	return checkURL("url", w.URL)
}

func (w webhook) send(ctx context.Context, p *poster, l letter) error {
	body, err := json.Marshal(api.Notification{
		ID: l.ID, Kind: l.Kind, Severity: string(l.Severity), Title: l.subject(), Text: l.text(printable, 3500),
		Namespace: l.Namespace, AgentID: l.Agent, ProjectName: l.Project, Resource: l.Resource, GrantID: l.Ref, Reason: l.Reason,
		Keys: l.Names, Actor: l.Actor, SourceIP: l.Source, Hostname: l.Host, More: l.More, AuditSeq: l.Entry,
		Time: l.Time.UTC().Format(time.RFC3339), Test: l.test,
	})
	if err != nil {
		return &failure{why: "the message cannot be encoded", refused: true} // unreachable: it is text
	}
	h := http.Header{}
	h.Set("X-Cortex-Delivery", l.ID)
	h.Set("X-Cortex-Signature", sign(w.Secret.Reveal(), time.Now(), body))
	return p.post(ctx, string(w.URL.Reveal()), body, h)
}

// sign returns the signature over a time and a body:
//
//	t=<Unix seconds>,v1=<hex HMAC-SHA256(secret, "<Unix seconds>.<body>")>
func sign(secret []byte, now time.Time, body []byte) string {
	t := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
