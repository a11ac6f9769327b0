package notify

import (
	"context"
	"strings"

	"github.com/cortex-auth/cortex/server/api"
)

// A slack posts to an incoming webhook of Slack, or of what works alike, such
// as Mattermost.
type slack struct {
	WebhookURL api.Value `json:"webhook_url"`
}

func (s slack) check() error { return checkURL("webhook_url", s.WebhookURL) }

func (s slack) send(ctx context.Context, p *poster, l letter) error {
	return p.json(ctx, string(s.WebhookURL.Reveal()), struct {
		Text string `json:"text"`
	}{l.text(escapeSlack, 3500)})
}

// escapeSlack escapes the three characters that Slack gives a meaning, after
// which there are no mentions and no named links. Formatting has no escape: its
// characters are kept apart from the text that they would format.
func escapeSlack(s string) string {
	var b strings.Builder
	for _, r := range inert(s) {
		switch r {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString(apart + "&gt;") // a line that begins with it is a quotation
		case '*', '~', '`', '[', ']':
			b.WriteString(apart + string(r) + apart)
		default:
			b.WriteRune(r)
		}
	}
	return edges(b.String(), '_')
}

// edges keeps a character apart where it stands at the edge of a word, as
// formatting does. Within names it is left alone, so that they can be copied.
func edges(s string, c rune) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		inner := i > 0 && i < len(runes)-1 && alphanumeric(runes[i-1], c) && alphanumeric(runes[i+1], c)
		if r == c && !inner {
			b.WriteString(apart + string(r) + apart)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
