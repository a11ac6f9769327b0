package notify_test

import (
	"bufio"
	"encoding/json"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

// A mailbox is a mail server that keeps what it gets.
type mailbox struct {
	port int
	got  chan mailed
}

type mailed struct {
	commands []string
	text     string
}

// receiveMail starts a mail server that refuses recipients with no in them.
func receiveMail(t *testing.T) *mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m := &mailbox{port: l.Addr().(*net.TCPAddr).Port, got: make(chan mailed, 10)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.talk(c)
		}
	}()
	return m
}

func (m *mailbox) talk(c net.Conn) {
	defer c.Close()
	var got mailed
	lines := bufio.NewReader(c)
	say := func(s string) { io.WriteString(c, s+"\r\n") }
	say("220 test ESMTP")
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		got.commands = append(got.commands, line)
		switch verb, _, _ := strings.Cut(line, " "); {
		case verb == "EHLO":
			say("250-test\r\n250 AUTH PLAIN")
		case verb == "AUTH":
			say("235 welcome")
		case verb == "RCPT" && strings.Contains(line, "no"):
			say("550 no such user canary")
		case verb == "DATA":
			say("354 go on")
			for line != ".\r\n" {
				if line, err = lines.ReadString('\n'); err != nil {
					return
				}
				got.text += line
			}
			say("250 taken")
			m.got <- got
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func (m *mailbox) config(to string) map[string]any {
	return map[string]any{"to": to, "smtp": map[string]any{
		"host": "127.0.0.1", "port": m.port, "tls": "none", "from": "Cortex <cortex@example.org>", "username": "u", "password": "p",
	}}
}

func TestSMTP(t *testing.T) {
	s, a := started(t)
	box := receiveMail(t)
	channel(t, s, "email", "mail", box.config("ops@example.org, Boss <boss@example.org>"))
	alarm(t, s, a, hostile+"\u00e9")
	got := <-box.got
	commands := strings.Join(got.commands, "\n")
	for _, want := range []string{"AUTH PLAIN", "MAIL FROM:<cortex@example.org>", "RCPT TO:<ops@example.org>", "RCPT TO:<boss@example.org>"} {
		if !strings.Contains(commands, want) {
			t.Errorf("%s lacks %q", commands, want)
		}
	}
	text := letterOf(t, got.text, `<ops@example.org>, "Boss" <boss@example.org>`)
	if !strings.Contains(text, "\u00e9") || strings.Contains(text, "https://") || strings.Contains(text, "www.evil") {
		t.Errorf("%q", text)
	}
}

// letterOf reads a mail and returns its text.
func letterOf(t *testing.T, raw, to string) string {
	t.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	if err != nil || !strings.Contains(subject, "cortex: an agent is used on two hosts") {
		t.Errorf("subject %q %v", subject, err)
	}
	if got := msg.Header.Get("To"); got != to {
		t.Errorf("to %q", got)
	}
	if len(msg.Header) != 9 || msg.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%v", msg.Header)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestSMTPRefusal(t *testing.T) {
	s, _ := started(t)
	id := channel(t, s, "email", "mail", receiveMail(t).config("nobody@example.org"))
	if out := test(t, s, id); out.Error != "the mail server answered 550" {
		t.Errorf("%+v", out)
	}
	// A server that offers no STARTTLS gets no password.
	box := receiveMail(t)
	config := box.config("ops@example.org")
	config["smtp"].(map[string]any)["tls"] = "starttls"
	if out := test(t, s, channel(t, s, "email", "clear", config)); out.Error != "the mail server offers no STARTTLS" {
		t.Errorf("%+v", out)
	}
}

// script puts a program named himalaya on the PATH.
func script(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "himalaya"), []byte("#!/bin/sh\ncd "+dir+"\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return dir
}

func mailChannel(t *testing.T, s *servertest.Server, config string) string {
	t.Helper()
	return channel(t, s, "email", "mail "+config, json.RawMessage(config))
}

// D-12: the mail program inherited the operator's password.
func TestHimalaya(t *testing.T) {
	dir := script(t, `echo "$@" >> args
env >> env
if [ "$1" != --version ]; then cat > mail; fi
`)
	t.Setenv("CORTEX_KEK_PASSWORD", "canary")
	t.Setenv("ADMIN_TOKEN", "canary")
	t.Setenv("CREDENTIALS_DIRECTORY", "canary")
	s, a := started(t)
	id := mailChannel(t, s, `{"to":"ops@example.org","account":"work"}`)
	alarm(t, s, a, hostile)
	until(t, func() bool { return state(t, s, id).DeliveredAt != nil })
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if args := read("args"); args != "--version\n-a work message send\n" {
		t.Errorf("%q", args)
	}
	if env := read("env"); strings.Contains(env, "canary") || !strings.Contains(env, "PATH=") {
		t.Errorf("%s", env)
	}
	raw := read("mail")
	if !strings.HasPrefix(raw, "From: cortex-auth\r\nTo: <ops@example.org>\r\nSubject: ") {
		t.Errorf("%q", raw)
	}
	letterOf(t, raw, "<ops@example.org>")
}

func TestHimalayaFails(t *testing.T) {
	s, _ := started(t)
	t.Setenv("PATH", t.TempDir())
	if out := test(t, s, mailChannel(t, s, `{"to":"ops@example.org"}`)); out.Error != "there is no program himalaya on the PATH of the server" {
		t.Errorf("%+v", out)
	}
	script(t, `if [ "$1" != --version ]; then echo canary >&2; exit 7; fi
`)
	if out := test(t, s, mailChannel(t, s, `{"to":"boss@example.org"}`)); out.Error != "himalaya send ended with status 7" {
		t.Errorf("%+v", out)
	}
}
