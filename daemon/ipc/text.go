package ipc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// A Text is an argument or a variable: any bytes, as systems have them. It is
// a JSON string where it is UTF-8, else {"base64": "…"}.
type Text string

type encodedText struct {
	Base64 *string `json:"base64"`
}

var errText = errors.New("not a string")

// MarshalJSON never fails.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(t))
	return json.Marshal(encodedText{&encoded})
}

// UnmarshalJSON takes either form.
func (t *Text) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte{'"'}) {
		return json.Unmarshal(b, (*string)(t))
	}
	var e encodedText
	if err := json.Unmarshal(b, &e); err != nil || e.Base64 == nil || bytes.ContainsAny([]byte(*e.Base64), "\r\n") {
		return errText
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(*e.Base64)
	if err != nil {
		return errText
	}
	*t = Text(raw)
	return nil
}

// A TextList is written as its texts are, and all at once: that is most of what
// there is to write, and one by one takes several times as long.
type TextList []Text

// MarshalJSON never fails.
func (l TextList) MarshalJSON() ([]byte, error) {
	for _, t := range l {
		if !utf8.ValidString(string(t)) {
			return json.Marshal([]Text(l))
		}
	}
	return json.Marshal(Strings(l))
}

// Strings returns texts as strings.
func Strings(texts []Text) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = string(t)
	}
	return out
}

// Texts returns strings as texts.
func Texts(list []string) []Text {
	out := make([]Text, len(list))
	for i, s := range list {
		out[i] = Text(s)
	}
	return out
}
