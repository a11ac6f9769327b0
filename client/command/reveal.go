package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

// A reveal says where a value may be written to. It is a [cli.Value], of a flag
// that needs no value of its own.
type reveal int

const (
	hidden reveal = iota
	toTerminal
	toPipe
)

var errReveal = errors.New("want --reveal, or --reveal=pipe")

// Set understands what stands behind --reveal.
func (r *reveal) Set(s string) error {
	switch s {
	case "true":
		*r = toTerminal
	case "pipe":
		*r = toPipe
	default:
		return errReveal
	}
	return nil
}

// Get returns the reveal itself.
func (r *reveal) Get() any { return *r }

// String is empty: there is no default to be shown.
func (r *reveal) String() string { return "" }

// IsBoolFlag says that --reveal needs no value.
func (r *reveal) IsBoolFlag() bool { return true }

// may refuses to write a value where nobody sees that it is written, unless that
// is what was asked for.
func (r *reveal) may(cmd *cli.Command) error {
	if *r == toTerminal && !onTerminal(cmd.Root().Writer) {
		return client.WithHint(errors.New("standard output is not a terminal; the value was not read"), "if it may go there: --reveal=pipe")
	}
	return nil
}

func onTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// revealSecret writes the value of a secret, and nothing else.
func revealSecret(ctx context.Context, cmd *cli.Command, c *client.Client, s api.Secret, version int64, asJSON bool) error {
	read := c.Secret
	if version != 0 {
		read = func(ctx context.Context, id string) (api.SecretDetail, error) {
			return c.SecretVersion(ctx, id, version)
		}
	}
	detail, err := read(ctx, s.ID)
	if err != nil {
		return about("secret", s.KeyPath, err)
	}
	defer detail.Value.Wipe()
	w := cmd.Root().Writer
	switch {
	case asJSON:
		return writeJSON(w, detail)
	case !onTerminal(w):
		_, err := w.Write(detail.Value.Reveal())
		return err
	case tame(detail.Value.Reveal()):
		say(cmd, "cortex: characters that could play tricks on a terminal are shown as ?; --reveal=pipe writes them as they are")
	}
	return printSecret(w, detail.Value)
}

// tame takes what could play tricks on a terminal out of a text, in place, and
// reports whether there was any.
func tame(text []byte) (was bool) {
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		if r != '\n' && r != '\t' && (!unicode.IsPrint(r) || r == utf8.RuneError) {
			copy(text[at:at+n], bytes.Repeat([]byte{'?'}, n))
			was = true
		}
		at += n
	}
	return was
}
