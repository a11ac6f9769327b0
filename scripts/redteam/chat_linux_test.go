package redteam

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/servertest"
)

var chatMoves = moves{
	"chat-markup":    func(t *testing.T) outcome { t.Parallel(); return chatted().markup },
	"chat-words":     func(t *testing.T) outcome { t.Parallel(); return chatted().words },
	"buried-alarm":   buriedAlarm,
	"inner-services": innerServices,
}

// A receiver is what messages of a vault are posted to.
type receiver struct {
	*httptest.Server
	posts chan string
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{posts: make(chan string, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.posts <- string(body)
		if answer != nil {
			answer(w, q)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// until returns what comes, up to the first that has a text in it.
func (r *receiver) until(t *testing.T, text string) (list []string) {
	t.Helper()
	for over := time.After(patience); ; {
		select {
		case p := <-r.posts:
			if list = append(list, p); strings.Contains(p, text) {
				return list
			}
		case <-over:
			t.Fatalf("nothing with %q came, but %d others", text, len(list))
		}
	}
}

// channel has a vault tell a receiver.
func (s *site) channel(t *testing.T, kind string, config object, more ...object) (id string) {
	t.Helper()
	body := object{"channel_type": kind, "name": named(kind), "config": config}
	for _, m := range more {
		for k, v := range m {
			body[k] = v
		}
	}
	var made struct{ ID string }
	s.Admin(t, http.MethodPost, "/admin/notification-channels", body, &made)
	return made.ID
}

// chatted has an agent's host call itself what chats could take for something, and
// reads what they are told.
var chatted = once(func() (out struct{ markup, words outcome }) {
	t := stage
	s := newSite(t)
	const words, markup = "please approve", "<!channel> <https://evil.example> @everyone [click](https://evil.example) *bold* `code`"
	chats := map[string]*receiver{}
	for _, kind := range []string{"slack", "discord", "telegram"} {
		chats[kind] = newReceiver(t, nil)
		config := object{"webhook_url": chats[kind].URL}
		if kind == "telegram" {
			config = object{"bot_token": "1:A", "chat_id": "1", "api_url": chats[kind].URL}
		}
		s.channel(t, kind, config)
	}
	h := s.Host(t, named("bot"))
	ok(t, h.Begin(t, h.Init()))
	approveDevice(t, s.Server, h)
	ok(t, h.Poll(t))
	ok(t, h.AttestWith(t, h.AttestBody()))
	h.Hostname = words + " " + markup
	ok(t, h.AttestWith(t, h.AttestBody()))
	out.markup, out.words = stopped, stopped
	for kind, r := range chats {
		list := r.until(t, "two hosts")
		var post struct {
			Text, Content string
			Parse         any `json:"parse_mode"`
			Entities      any
			Allowed       struct{ Parse []string } `json:"allowed_mentions"`
		}
		if err := json.Unmarshal([]byte(list[len(list)-1]), &post); err != nil {
			t.Fatal(err)
		}
		said := post.Text + post.Content
		// In Discord's Markdown a backslash takes a character its meaning, in Slack's
		// nothing does: there it must not stand at a word.
		bad := map[string]*regexp.Regexp{
			"slack":    regexp.MustCompile("<[!@#h]|\\*bold|bold\\*|`code|code`"),
			"discord":  regexp.MustCompile("[^\\\\][]<>@*`()[]"),
			"telegram": regexp.MustCompile("^$"),
		}[kind]
		if bad.MatchString(said) || post.Parse != nil || post.Entities != nil || kind == "discord" && post.Allowed.Parse == nil || len(post.Allowed.Parse) > 0 {
			t.Logf("%s: %+v", kind, post)
			out.markup = open
		}
		if strings.Contains(said, words) {
			out.words = open
		}
	}
	return out
})

// buriedAlarm makes as many messages as an agent can, and then does what should be
// heard of.
func buriedAlarm(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	r := newReceiver(t, nil)
	s.channel(t, "webhook", object{"url": r.URL, "secret": rand.Text()})
	variable, _, _ := s.secret(t)
	trap := strings.ReplaceAll(named("trap"), "-", "_")
	honey := s.SecretWith(t, object{"key_path": trap, "secret_type": "KEY_VALUE", "value": canary(), "is_honey_token": true})
	a, app := s.agent(t), named("app")
	s.Grant(t, app, honey)
	token := a.Obtain(t, app, strings.ToUpper(trap)).Token
	many := 0
	for range 30 {
		if a.Send(t, a.Discovery(named("noise"), variable)).Code() == "pending_approval" {
			many++
		}
	}
	a.Fetch(t, app, token)
	list := r.until(t, "honey_token_access")
	noise := 0
	for _, p := range list {
		if strings.Contains(p, `"noise-`) {
			noise++
		}
	}
	t.Logf("%d messages of %d came before the alarm", noise, many)
	if many < 25 {
		t.Fatalf("only %d requests wait", many)
	}
	return unless(noise > 20, limited)
}

// innerServices has the server call what only it can reach.
func innerServices(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	inner := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "canary-of-the-inner-service") })
	body := object{"channel_type": "webhook", "name": named("w"), "config": object{"url": inner.URL, "secret": rand.Text()}}
	a := s.agent(t)
	for _, h := range []http.Header{nil, {"Authorization": {"Bearer " + a.AccessToken}}, {"X-Admin-Token": {a.AccessToken}}} {
		if !refused(t, s.Do(t, servertest.Request{Method: http.MethodPost, Path: "/admin/notification-channels", Header: h, Body: body})) {
			return open
		}
	}
	if !refused(t, s.TryAdmin(t, http.MethodPost, "/admin/notification-channels", object{
		"channel_type": "webhook", "name": named("w"), "config": object{"url": "https://169.254.169.254/latest/meta-data", "secret": rand.Text()},
	})) {
		return open
	}
	test := func(url string) string {
		id := s.channel(t, "webhook", object{"url": url, "secret": rand.Text()})
		return string(ok(t, s.TryAdmin(t, http.MethodPost, "/admin/notification-channels/"+id+"/test?wait=true", nil)).Body)
	}
	// A name of this machine that leads to where only this machine can go, and a
	// redirect to there.
	outer := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, inner.URL, http.StatusTemporaryRedirect)
	})
	for _, said := range []string{
		test(strings.Replace(inner.URL, "http://127.0.0.1", "https://localhost", 1)), test(outer.URL),
	} {
		if !strings.Contains(said, `"delivered":false`) || strings.Contains(said, "canary") {
			t.Log(said)
			return open
		}
	}
	if len(inner.posts) > 0 {
		return open
	}
	if said := test(inner.URL); !strings.Contains(said, `"delivered":true`) || strings.Contains(said, "canary") || len(inner.posts) != 1 {
		t.Fatalf("an administrator who names the address is not heard: %s", said)
	}
	return stopped
}
