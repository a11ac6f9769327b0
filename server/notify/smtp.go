package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"strconv"
	"strings"
)

// How a mailer's connection is protected.
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

func (m *mailer) check(from string) error {
	addr, err := netip.ParseAddr(m.Host)
	literal := err == nil
	switch {
	case m.Host == "" || len(m.Host) > 253 || strings.ContainsFunc(m.Host, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }):
		return bad("smtp.host", "must be a host name or an address")
	case literal && !(guard{}).allows(addr, true):
		return bad("smtp.host", "is an address that is not allowed")
	case m.Port < 0 || m.Port > 65535:
		return bad("smtp.port", "must be from 1 to 65535")
	case m.TLS == noTLS && !(literal && addr.IsLoopback()):
		return bad("smtp.tls", "must be starttls or implicit; none only to a loopback address such as 127.0.0.1")
	case m.TLS != "" && m.TLS != noTLS && m.TLS != startTLS && m.TLS != implicitTLS:
		return bad("smtp.tls", "must be starttls or implicit")
	case (m.Username == "") != m.Password.IsZero():
		return bad("smtp.password", "belongs together with smtp.username")
	}
	if _, err := mail.ParseAddress(cmp.Or(from, m.From)); err != nil {
		return bad("smtp.from", "must be a mail address")
	}
	return nil
}

func (m *mailer) port() int {
	if m.TLS == implicitTLS {
		return cmp.Or(m.Port, 465)
	}
	return cmp.Or(m.Port, 587)
}

// send delivers a mail. Any error is a [failure].
func (m *mailer) send(ctx context.Context, p *poster, from string, to []*mail.Address, text []byte) error {
	conn, err := p.guard.dial(ctx, "tcp", net.JoinHostPort(m.Host, strconv.Itoa(m.port())))
	if err != nil {
		return &failure{why: reason(err)}
	}
	defer conn.Close()
	// When the time is up, whatever waits for the server ends.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := m.talk(conn, p, from, to, text); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return mailFailure(err)
	}
	return nil
}

// errNoSTARTTLS: the server would take the password in clear.
var errNoSTARTTLS = errors.New("the mail server offers no STARTTLS")

func (m *mailer) talk(conn net.Conn, p *poster, from string, to []*mail.Address, text []byte) error {
	config := p.tls()
	config.ServerName = m.Host
	if m.TLS == implicitTLS {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, m.Host)
	if err != nil {
		return err
	}
	if m.TLS == "" || m.TLS == startTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errNoSTARTTLS
		}
		if err := c.StartTLS(config); err != nil {
			return err
		}
	}
	if m.Username != "" {
		if err := c.Auth(smtp.PlainAuth("", m.Username, string(m.Password.Reveal()), m.Host)); err != nil {
			return err
		}
	}
	if err := c.Mail(from); err != nil {
		return err
	}
	for _, a := range to {
		if err := c.Rcpt(a.Address); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	// It was taken: what the server says to the end changes nothing.
	_ = c.Quit()
	return nil
}

func mailFailure(err error) error {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return &failure{why: fmt.Sprintf("the mail server answered %d", e.Code), refused: e.Code >= 500}
	}
	if errors.Is(err, errNoSTARTTLS) {
		return &failure{why: errNoSTARTTLS.Error()}
	}
	return &failure{why: reason(err)}
}
