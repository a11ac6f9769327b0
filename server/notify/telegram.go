package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"

	"github.com/cortex-auth/cortex/server/api"
)

// A telegram sends through the Bot API.
type telegram struct {
	BotToken api.Value `json:"bot_token"`
	ChatID   chatID    `json:"chat_id"`
	// APIURL is a Bot API server of one's own. If absent, Telegram's.
	APIURL api.Value `json:"api_url,omitzero"`
}

// A chatID is a number or a text such as "@channel".
type chatID struct{ id string }

// UnmarshalJSON takes a string or an integer.
func (c *chatID) UnmarshalJSON(b []byte) error {
	var number json.Number
	if json.Unmarshal(b, &c.id) == nil {
		return nil
	}
	err := json.Unmarshal(b, &number)
	c.id = number.String()
	return err
}

// isBotToken reports whether a token looks like a bot's.
func isBotToken(token []byte) bool {
	bot, secret, ok := bytes.Cut(token, []byte{':'})
	return ok && madeOf(bot, 20, digits) && madeOf(secret, 128, digits+letters+"_-")
}

// isChat reports whether an id is a chat's, or a public name.
func isChat(id []byte) bool {
	if name, ok := bytes.CutPrefix(id, []byte{'@'}); ok {
		return madeOf(name, 64, digits+letters+"_")
	}
	return madeOf(bytes.TrimPrefix(id, []byte{'-'}), 20, digits)
}

const telegramAPI = "https://api.telegram.org"

func (t telegram) check() error {
	if !isBotToken(t.BotToken.Reveal()) {
		return bad("bot_token", "must be a bot's token, as in 123456:ABC")
	}
	if !isChat([]byte(t.ChatID.id)) {
		return bad("chat_id", "must be a number or @name")
	}
	if t.APIURL.IsZero() {
		return nil
	}
	return checkURL("api_url", t.APIURL)
}

func (t telegram) send(ctx context.Context, p *poster, l letter) error {
	base := cmp.Or(string(t.APIURL.Reveal()), telegramAPI)
	type preview struct {
		Disabled bool `json:"is_disabled"`
	}
	// Without parse_mode the text is plain.
	return p.json(ctx, base+"/bot"+string(t.BotToken.Reveal())+"/sendMessage", struct {
		ChatID  string  `json:"chat_id"`
		Text    string  `json:"text"`
		Preview preview `json:"link_preview_options"`
	}{t.ChatID.id, l.text(inert, 3500), preview{true}})
}
