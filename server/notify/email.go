package notify

import (
	"bytes"
	"cmp"
	"context"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/server/api"
)

// An email sends mail: by an SMTP server if one is named, else by himalaya, a
// mail program that has accounts of its own.
type email struct {
	To      string  `json:"to"`
	From    string  `json:"from,omitempty"`
	Account string  `json:"account,omitempty"` // of himalaya
	SMTP    *mailer `json:"smtp,omitempty"`
}

// A mailer is an SMTP server, and how to speak to it.
type mailer struct {
	Host     string    `json:"host"`
	Port     int       `json:"port,omitempty"`
	Username string    `json:"username,omitempty"`
	Password api.Value `json:"password,omitzero"`
	From     string    `json:"from,omitempty"`
	// TLS is "starttls", which is also the default, "implicit", or "none",
	// which is for this machine alone.
	TLS string `json:"tls,omitempty"`
}

const (
	mailTimeout   = 30 * time.Second
	maxRecipients = 20
	// himalayaFrom is what himalaya is given where the config names nobody.
	himalayaFrom = "cortex-auth"
)

// isAccount reports whether a name can be an account's, and no flag.
func isAccount(name string) bool {
	return madeOf([]byte(name), 64, digits+letters+"_.@-") && name[0] != '-'
}

// The characters that names and tokens are made of.
const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// madeOf reports whether a text is of 1 to most of some ASCII characters.
func madeOf(text []byte, most int, of string) bool {
	return len(text) > 0 && len(text) <= most && len(bytes.Trim(text, of)) == 0
}

func (e email) check() error {
	to, err := mail.ParseAddressList(e.To)
	if err != nil || len(to) > maxRecipients {
		return bad("to", "must be one or several mail addresses, with commas between them")
	}
	if e.From != "" {
		if _, err := mail.ParseAddress(e.From); err != nil {
			return bad("from", "must be a mail address")
		}
	}
	if e.SMTP != nil {
		return e.SMTP.check(e.From)
	}
	// It must not look like a flag.
	if e.Account != "" && !isAccount(e.Account) {
		return bad("account", "must be the name of an account of himalaya")
	}
	return nil
}

func (e email) send(ctx context.Context, p *poster, l letter) error {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	to, err := mail.ParseAddressList(e.To)
	if err != nil {
		return &failure{why: "the address is not good", refused: true} // unreachable: it was checked
	}
	if e.SMTP == nil {
		return himalaya(ctx, e.Account, e.compose(cmp.Or(e.From, himalayaFrom), to, l, time.Now()))
	}
	from, err := mail.ParseAddress(cmp.Or(e.From, e.SMTP.From))
	if err != nil {
		return &failure{why: "the address is not good", refused: true} // unreachable: it was checked
	}
	return e.SMTP.send(ctx, p, from.Address, to, e.compose(from.String(), to, l, time.Now()))
}

// compose returns the mail. No header holds anything foreign, and the addresses
// are written anew from what was parsed.
func (e email) compose(from string, to []*mail.Address, l letter, now time.Time) []byte {
	var all []string
	for _, a := range to {
		all = append(all, a.String())
	}
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", from},
		{"To", strings.Join(all, ",\r\n ")},
		{"Subject", mime.QEncoding.Encode("utf-8", l.subject())},
		{"Date", now.UTC().Format(time.RFC1123Z)},
		{"Message-ID", "<" + l.ID + "@cortex>"},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(&b)
	// Writing to memory does not fail.
	_, _ = body.Write([]byte(l.text(inert, 3500) + "\n"))
	_ = body.Close()
	return b.Bytes()
}
