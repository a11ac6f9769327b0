package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestGuard(t *testing.T) {
	allowed, err := auth.ParseNetworks("network of notifications", "10.1.0.0/16, 192.168.7.7,fd12::/16,169.254.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	g := guard{allowed}
	for _, row := range []struct {
		addr          string
		literal, name bool
	}{
		{"93.184.216.34", true, true},
		{"2606:2800:220:1::1", true, true},
		{"127.0.0.1", true, false},
		{"::1", true, false},
		{"::ffff:127.0.0.1", true, false},
		{"10.0.0.1", true, false},
		{"10.1.2.3", true, true},
		{"192.168.7.7", true, true},
		{"192.168.7.8", true, false},
		{"172.16.0.1", true, false},
		{"100.64.0.1", true, false},
		{"fd12::1", true, true},
		{"fd13::1", true, false},
		{"169.254.169.254", false, false}, // whatever networks say
		{"::ffff:169.254.169.254", false, false},
		{"64:ff9b::a9fe:a9fe", false, false},
		{"64:ff9b::7f00:1", true, false},
		{"2002:a9fe:a9fe::1", false, false},
		{"fe80::1", false, false},
		{"fe80::1%eth0", false, false},
		{"fd00:ec2::254", false, false},
		{"168.63.129.16", false, false},
		{"100.100.100.200", false, false},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"224.0.0.1", false, false},
		{"ff02::1", false, false},
		{"255.255.255.255", false, false},
	} {
		addr := netip.MustParseAddr(row.addr)
		if got := g.allows(addr, true); got != row.literal {
			t.Errorf("%s as such: %v", addr, got)
		}
		if got := g.allows(addr, false); got != row.name {
			t.Errorf("%s behind a name: %v", addr, got)
		}
	}
	for _, bad := range []string{"x", "10.0.0.0/33", "10.0.0.0/8;"} {
		if _, err := auth.ParseNetworks("network of notifications", bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// The address that is dialled counts, not the name.
func TestGuardAtTheDoor(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(u.Host)
	dial := func(g guard, host string) error {
		c, err := g.dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := dial(guard{}, "127.0.0.1"); err != nil {
		t.Error(err)
	}
	if err := dial(guard{}, "localhost"); !errors.Is(err, errAddress) {
		t.Errorf("localhost: %v", err)
	}
	if err := dial(guard{prefixes("127.0.0.0/8", "::1/128")}, "localhost"); err != nil {
		t.Error(err)
	}
	if err := dial(guard{}, "169.254.169.254"); !errors.Is(err, errAddress) {
		t.Errorf("metadata: %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Errorf("followed to %s", r.URL.Path)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	p := newPoster(guard{}, nil)
	defer p.close()
	if err := p.json(t.Context(), s.URL+"/", "x"); err == nil || err.Error() != "the receiver answered 307" {
		t.Error(err)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	p := newPoster(guard{}, x509.NewCertPool())
	if err := p.json(t.Context(), s.URL, "x"); err == nil || err.Error() != "the certificate is not trusted" {
		t.Error(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	p = newPoster(guard{}, roots)
	defer p.close()
	if err := p.json(t.Context(), s.URL, "x"); err == nil || err.Error() != "the receiver answered 404" {
		t.Error(err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 4, 27, 18, 40, 0, 0, time.UTC)
	for _, row := range []struct {
		header, body string
		want         time.Duration
	}{
		{"", "", 0},
		{"30", "", 30 * time.Second},
		{"0.5", "", 500 * time.Millisecond},
		{"-1", "", 0},
		{"NaN", "", 0},
		{"1e300", "", maxRetryAfter},
		{"Mon, 27 Apr 2026 18:41:00 GMT", "", time.Minute},
		{"Mon, 27 Apr 2026 18:39:00 GMT", "", 0},
		{"", `{"ok":false,"parameters":{"retry_after":7}}`, 7 * time.Second},
		{"", `{"parameters":7}`, 0},
		{"soon", `{`, 0},
	} {
		h := http.Header{}
		if row.header != "" {
			h.Set("Retry-After", row.header)
		}
		if got := retryAfter(h, []byte(row.body), now); got != row.want {
			t.Errorf("%q %q: %v, want %v", row.header, row.body, got, row.want)
		}
	}
}

func TestPause(t *testing.T) {
	f := &failure{}
	for attempts, want := range map[int]time.Duration{0: firstPause, 1: 2 * firstPause, 3: 8 * firstPause, 9: longestPause, 1000: longestPause} {
		if got := f.pause(attempts, 0.5); got != want {
			t.Errorf("%d attempts: %v, want %v", attempts, got, want)
		}
		if low, high := f.pause(attempts, 0), f.pause(attempts, 0.999); low != want/2 || high < want || high > want*3/2 {
			t.Errorf("%d attempts: from %v to %v", attempts, low, high)
		}
	}
	if got := (&failure{after: time.Hour}).pause(0, 0); got != time.Hour {
		t.Errorf("asked for an hour: %v", got)
	}
}

func TestHopeless(t *testing.T) {
	now := time.Now()
	for _, row := range []struct {
		refused  bool
		attempts int
		age      time.Duration
		want     bool
	}{
		{false, 100, 23 * time.Hour, false},
		{false, 0, 24 * time.Hour, true},
		{true, 1, time.Minute, false},
		{true, 2, time.Minute, true},
	} {
		m := vault.Delivery{Attempts: row.attempts, Queued: now.Add(-row.age)}
		if got := (&failure{refused: row.refused}).hopeless(m, now); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

func TestConfigs(t *testing.T) {
	for _, row := range []struct {
		kind   vault.ChannelType
		config string
		want   string // of the error, empty for a good one
	}{
		{vault.Slack, `{"webhook_url":"https://hooks.slack.com/services/T/B/x"}`, ""},
		{vault.Slack, `{"webhook_url":"https://10.0.0.1/x","more":1}`, ""},
		{vault.Slack, `{"webhook_url":"http://127.0.0.1:8080/x"}`, ""},
		{vault.Slack, `{"webhook_url":"http://[::1]:8080/x"}`, ""},
		{vault.Slack, `{"webhook_url":"http://localhost/x"}`, "config.webhook_url must be an https"},
		{vault.Slack, `{"webhook_url":"http://10.0.0.1/x"}`, "config.webhook_url must be an https"},
		{vault.Slack, `{"webhook_url":"https://169.254.169.254/latest"}`, "not allowed"},
		{vault.Slack, `{"webhook_url":"https://[fe80::1]/"}`, "not allowed"},
		{vault.Slack, `{"webhook_url":"https:///x"}`, "config.webhook_url"},
		{vault.Slack, `{"webhook_url":"https:opaque"}`, "config.webhook_url"},
		{vault.Slack, `{"webhook_url":"file:///etc/passwd"}`, "config.webhook_url"},
		{vault.Slack, `{"webhook_url":"gopher://x/"}`, "config.webhook_url"},
		{vault.Slack, `{"webhook_url":"https://u@x/"}`, "user"},
		{vault.Slack, `{}`, "config.webhook_url is missing"},
		{vault.Slack, `[]`, "config must be a JSON object"},
		{vault.Slack, `"x"`, "config must be a JSON object"},
		{vault.Slack, `{"webhook_url":"https://a/","webhook_url":"https://b/"}`, "config must be"},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":"-100"}`, ""},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":-100}`, ""},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":1.5}`, "config.chat_id"},
		{vault.Telegram, `{"bot_token":"1:a/../x","chat_id":1}`, "config.bot_token"},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":{}}`, "config"},
		{vault.Telegram, `{"bot_token":"12345678901234567890:a-B_9","chat_id":"@a_B9"}`, ""},
		{vault.Telegram, `{"bot_token":"123456789012345678901:a","chat_id":1}`, "config.bot_token"},
		{vault.Telegram, `{"bot_token":"1:","chat_id":1}`, "config.bot_token"},
		{vault.Telegram, `{"bot_token":":a","chat_id":1}`, "config.bot_token"},
		{vault.Telegram, `{"bot_token":"1:a:b","chat_id":1}`, "config.bot_token"},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":"@a.b"}`, "config.chat_id"},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":"@"}`, "config.chat_id"},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":"--1"}`, "config.chat_id"},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":"-"}`, "config.chat_id"},
		{vault.Telegram, `{"bot_token":"1:a","chat_id":"123456789012345678901"}`, "config.chat_id"},
		{vault.Email, `{"to":"a@example.org"}`, ""},
		{vault.Email, `{"to":"a@example.org","account":"work"}`, ""},
		{vault.Email, `{"to":"a@example.org","account":"--help"}`, "config.account"},
		{vault.Email, `{"to":"a@example.org","account":"a b"}`, "config.account"},
		{vault.Email, `{"to":"a@example.org","account":"a.B-9@example_org"}`, ""},
		{vault.Email, `{"to":"a@example.org\r\nBcc: b@example.org"}`, "config.to"},
		{vault.Email, `{"to":"a"}`, "config.to"},
		{vault.Email, `{"to":"a@b","from":"x\ny"}`, "config.from"},
		{vault.Email, `{"to":"a@b","smtp":{"host":"mail.example.org","from":"c@d"}}`, ""},
		{vault.Email, `{"to":"a@b","from":"c@d","smtp":{"host":"mail.example.org"}}`, ""},
		{vault.Email, `{"to":"a@b","smtp":{"host":"mail.example.org"}}`, "config.smtp.from"},
		{vault.Email, `{"to":"a@b","smtp":{"host":"mail.example.org","from":"c@d","tls":"none"}}`, "config.smtp.tls"},
		{vault.Email, `{"to":"a@b","smtp":{"host":"mail.example.org","from":"c@d","tls":"maybe"}}`, "config.smtp.tls"},
		{vault.Email, `{"to":"a@b","smtp":{"host":"mail.example.org","from":"c@d","username":"u"}}`, "config.smtp.password"},
		{vault.Email, `{"to":"a@b","smtp":{"host":"x\r\ny","from":"c@d"}}`, "config.smtp.host"},
		{vault.Webhook, `{"url":"https://example.org/","secret":"0123456789abcdef"}`, ""},
		{vault.Webhook, `{"url":"https://example.org/","secret":"short"}`, "config.secret"},
		{"carrier-pigeon", `{}`, "channel_type"},
	} {
		err := Check(row.kind, opaque.New([]byte(row.config)))
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s %s: %v", row.kind, row.config, err)
		}
		if _, ok := errors.AsType[*vault.InvalidError](err); err != nil && !ok {
			t.Errorf("%s: %T", row.config, err)
		}
	}
}

func TestTemplates(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"{{title}} {{ agent }} {{more}}": "",
		"{{nope}}":                       "names a field that there is not",
		"{{agent":                        "{{ without }}",
		"agent}}":                        "}} without {{",
		"{{#if agent}}x{{/if}}":          "names a field",
		"{{call .Agent}}":                "names a field",
		strings.Repeat("{{text}}", 25):   "too many",
	} {
		err := CheckTemplate(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Every kind that there is has its words.
func TestEveryKindHasAStory(t *testing.T) {
	for _, kind := range append(vault.MessageKinds(), vault.KindTest, vault.KindDropped) {
		if s := stories[kind]; s.title == "" || s.text == "" {
			t.Errorf("%s has none", kind)
		}
	}
}

// A letter that is too long loses whole parts, and no half of an escape.
func TestLongLetters(t *testing.T) {
	d := vault.Delivery{Message: vault.Message{Kind: "freeze", Resource: strings.Repeat("<", 300)}}
	d.Channel.Template = strings.Repeat("{{resource}}", 24)
	l, err := write(d)
	if err != nil {
		t.Fatal(err)
	}
	text := l.text(escapeSlack, 3500)
	if n := utf8.RuneCountInString(text); n > 3500 || !strings.HasSuffix(text, "…") || strings.Count(text, "&") != strings.Count(text, "&lt;") {
		t.Errorf("%d: %q", n, text)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"<!channel>", "@everyone", "http://evil.example", "\u202eevil", "a\nb", "`x`", "\\", "192.0.2.1", "_a_", "A_B", "＠everyone"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain, slack, discord := inert(s), escapeSlack(s), escapeDiscord(s)
		for name, text := range map[string]string{"plain": plain, "slack": slack, "discord": discord} {
			if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return string(r) != apart && !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", name, text)
			}
			for _, bad := range []string{"@e", "@h", "#a", "://", "www.e", ".com", "mailto:a"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s: %q has %q", name, text, bad)
				}
			}
		}
		if strings.ContainsAny(slack, "<>") || strings.Count(slack, "&") != strings.Count(slack, "&amp;")+strings.Count(slack, "&lt;")+strings.Count(slack, "&gt;") {
			t.Errorf("slack: %q", slack)
		}
		for i, r := range discord {
			if strings.ContainsRune("*_~`|<>[]", r) && (i == 0 || discord[i-1] != '\\') {
				t.Errorf("discord: %q at %d", discord, i)
			}
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("{{title}} x {{agent}}")
	f.Add("{{{{}}}}")
	f.Fuzz(func(t *testing.T, s string) {
		steps, err := parseTemplate(s)
		if err != nil {
			return
		}
		l, err := write(vault.Delivery{Channel: vault.Channel{ChannelFilter: vault.ChannelFilter{Template: s}}})
		if err != nil || len(steps) > 2*maxPlaceholders+1 || utf8.RuneCountInString(l.text(inert, 100)) > 100 {
			t.Errorf("%v, %d steps", err, len(steps))
		}
	})
}

// Whatever a config is, it is refused or can be sent.
func FuzzConfig(f *testing.F) {
	f.Add("slack", []byte(`{"webhook_url":"https://a/"}`))
	f.Add("telegram", []byte(`{"bot_token":"1:a","chat_id":1}`))
	f.Add("email", []byte(`{"to":"a@b","smtp":{"host":"h","from":"c@d"}}`))
	f.Add("webhook", []byte(`{"url":"https://a/","secret":"0123456789abcdef"}`))
	gone, cancel := context.WithCancel(f.Context())
	cancel()
	f.Fuzz(func(t *testing.T, kind string, config []byte) {
		tr, err := parse(vault.ChannelType(kind), config)
		if err != nil {
			if _, ok := errors.AsType[*vault.InvalidError](err); !ok {
				t.Errorf("%T %v", err, err)
			}
			return
		}
		p := newPoster(guard{}, nil)
		defer p.close()
		if _, ok := tr.(email); ok {
			return
		}
		if _, ok := errors.AsType[*failure](tr.send(gone, p, letter{})); !ok {
			t.Error("no failure")
		}
	})
}
