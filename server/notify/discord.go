package notify

import (
	"context"
	"strings"

	"github.com/cortex-auth/cortex/server/api"
)

// A discord posts to a webhook of Discord.
type discord struct {
	WebhookURL api.Value `json:"webhook_url"`
}

func (d discord) check() error { return checkURL("webhook_url", d.WebhookURL) }

func (d discord) send(ctx context.Context, p *poster, l letter) error {
	type mentions struct {
		Parse []string `json:"parse"`
	}
	return p.json(ctx, string(d.WebhookURL.Reveal()), struct {
		Content string   `json:"content"`
		Allowed mentions `json:"allowed_mentions"`
	}{l.text(escapeDiscord, 1900), mentions{[]string{}}})
}

// escapeDiscord puts a backslash before whatever Markdown could mean something
// by. Mentions are switched off for the message as a whole, too.
func escapeDiscord(s string) string {
	var b strings.Builder
	for _, r := range inert(s) {
		if strings.ContainsRune("\\*_~`|<>[]()#-+@:!", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
