package notify_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// A receiver is a chat, or a program, that messages are posted to.
type receiver struct {
	*httptest.Server
	got chan post
}

type post struct {
	path   string
	header http.Header
	body   []byte
}

// receive starts a receiver that answers with what answer says of the first,
// second, … message.
func receive(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{got: make(chan post, 2000)}
	var n atomic.Int32
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.got <- post{q.URL.Path, q.Header, body}
		if answer != nil {
			answer(int(n.Add(1)), w, q)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// next returns the next message.
func (r *receiver) next(t *testing.T) post {
	t.Helper()
	select {
	case p := <-r.got:
		return p
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		return post{}
	}
}

func (r *receiver) nothing(t *testing.T) {
	t.Helper()
	select {
	case p := <-r.got:
		t.Errorf("got %s", p.body)
	default:
	}
}

// text returns a member of a message.
func (p post) text(t *testing.T, member string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(p.body, &m); err != nil {
		t.Fatalf("%v in %s", err, p.body)
	}
	s, _ := m[member].(string)
	return s
}

// channel makes a channel and returns its id.
func channel(t *testing.T, s *servertest.Server, kind, name string, config any, more ...func(*api.CreateChannel)) string {
	t.Helper()
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	in := api.CreateChannel{ChannelType: kind, Name: name, Config: api.NewDocument(b)}
	for _, change := range more {
		change(&in)
	}
	var made api.CreatedChannel
	s.Admin(t, "POST", "/admin/notification-channels", in, &made)
	return made.ID
}

func hook(r *receiver) map[string]string {
	return map[string]string{"webhook_url": r.URL + "/hooks/canary-in-the-path"}
}

// test sends a test message and returns what came of it.
func test(t *testing.T, s *servertest.Server, id string) api.TestedChannel {
	t.Helper()
	var out api.TestedChannel
	s.Admin(t, "POST", "/admin/notification-channels/"+id+"/test?wait=true", nil, &out)
	return out
}

// alarm has an agent attest from a host of a name that it chose, after it did
// from another one.
func alarm(t *testing.T, s *servertest.Server, a *servertest.Agent, host string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"attestation_pub": key, "binary_sha256": strings.Repeat("ab", 32), "hostname": host})
	if err != nil {
		t.Fatal(err)
	}
	answer := s.Do(t, servertest.Request{
		Method: "POST", Path: "/daemon/attest", Header: http.Header{"Authorization": {"Bearer " + a.AccessToken}}, Body: body,
	})
	if answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
}

// key is a public key that nobody has the private half of.
const key = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"

func started(t *testing.T) (*servertest.Server, *servertest.Agent) {
	t.Helper()
	s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
	a := s.Enrol(t, "bot")
	return s, a
}

// pending makes an agent wait for approval.
func pending(t *testing.T, s *servertest.Server, a *servertest.Agent) (grant string) {
	t.Helper()
	s.Grant(t, "app", s.Secret(t, "openai_api_key", "sk-1"))
	answer := a.Send(t, a.Discovery("app", "OPENAI_API_KEY"))
	var e api.Error
	if answer.JSON(t, &e); e.Details == nil {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	return e.Details.GrantID
}

func TestPendingGrantReachesEveryTransport(t *testing.T) {
	s, a := started(t)
	r := map[string]*receiver{}
	for _, kind := range []string{"slack", "discord", "telegram", "webhook"} {
		r[kind] = receive(t, nil)
	}
	channel(t, s, "slack", "slack", hook(r["slack"]))
	channel(t, s, "discord", "discord", hook(r["discord"]))
	channel(t, s, "telegram", "telegram", map[string]any{"bot_token": "123:abc_DEF-1", "chat_id": -100200300, "api_url": r["telegram"].URL})
	channel(t, s, "webhook", "webhook", map[string]string{"url": r["webhook"].URL, "secret": "a secret of our own"})
	grant := pending(t, s, a)

	got := r["slack"].next(t)
	text := got.text(t, "text")
	for _, want := range []string{"waits for approval\n\n", "agent: bot", "project: app", "namespace: default", "variables: OPENAI_API_KEY", "request: " + grant, "from: 127.0.0.1"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	if got.path != "/hooks/canary-in-the-path" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", got.path, got.header)
	}
	got = r["discord"].next(t)
	if !strings.Contains(string(got.body), `"allowed_mentions":{"parse":[]}`) || !strings.Contains(got.text(t, "content"), `OPENAI\_API\_KEY`) {
		t.Errorf("%s", got.body)
	}
	got = r["telegram"].next(t)
	if got.path != "/bot123:abc_DEF-1/sendMessage" || got.text(t, "chat_id") != "-100200300" || strings.Contains(string(got.body), "parse_mode") || !strings.Contains(got.text(t, "text"), "OPENAI_API_KEY") {
		t.Errorf("%s %s", got.path, got.body)
	}
	got = r["webhook"].next(t)
	var n api.Notification
	if err := json.Unmarshal(got.body, &n); err != nil {
		t.Fatal(err)
	}
	if n.Kind != "discover_pending_new" || n.Severity != "info" || n.GrantID != grant || n.AgentID != "bot" || n.ProjectName != "app" || n.Keys[0] != "OPENAI_API_KEY" || n.AuditSeq == 0 || n.ID == "" || n.Test {
		t.Errorf("%+v", n)
	}
	verify(t, got, n.ID, "a secret of our own")
}

// hostile is what an agent may call its host.
const hostile = "<!channel> <@U1> @everyone @here #general &lt; [x](http://evil.example) https://evil.example www.evil.example evil.example *b* _i_ `c` ||s|| :boom: /kick <https://a|b> mailto:a@b.example"

func TestHostileText(t *testing.T) {
	s, a := started(t)
	slack, discord, telegram := receive(t, nil), receive(t, nil), receive(t, nil)
	channel(t, s, "slack", "slack", hook(slack))
	channel(t, s, "discord", "discord", hook(discord))
	channel(t, s, "telegram", "telegram", map[string]any{"bot_token": "123:abc", "chat_id": "@ops", "api_url": telegram.URL})
	alarm(t, s, a, hostile)
	for name, text := range map[string]string{
		"slack": slack.next(t).text(t, "text"), "discord": discord.next(t).text(t, "content"), "telegram": telegram.next(t).text(t, "text"),
	} {
		if !strings.Contains(text, "used on two hosts") || !strings.Contains(text, "evil") {
			t.Fatalf("%s: %q", name, text)
		}
		for _, bad := range []string{"@everyone", "@here", "@U1", "http://", "https://", "www.e", "evil.e", "#general", "mailto:a", " /kick", ":boom:"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: %q has %q", name, text, bad)
			}
		}
		if name == "slack" && strings.ContainsAny(text, "<>") {
			t.Errorf("%q", text)
		}
		if name == "discord" && (!strings.Contains(text, `\<\!channel\>`) || !strings.Contains(text, `\*b\*`) || !strings.Contains(text, "\\`c")) {
			t.Errorf("%q", text)
		}
	}
}

// D-87: a test raised a false alarm on all channels, and did nothing on a
// disabled one.
func TestTestMessage(t *testing.T) {
	s, _ := started(t)
	tested, other, off := receive(t, nil), receive(t, nil), receive(t, nil)
	id := channel(t, s, "slack", "tested", hook(tested))
	channel(t, s, "slack", "other", hook(other))
	disabled := channel(t, s, "slack", "off", hook(off), func(in *api.CreateChannel) { in.Enabled = new(false) })

	out := test(t, s, id)
	if !out.Queued || out.Name != "tested" || out.Delivered == nil || !*out.Delivered || out.Error != "" {
		t.Errorf("%+v", out)
	}
	if text := tested.next(t).text(t, "text"); !strings.Contains(text, "this is a test") || !strings.Contains(text, "tested") {
		t.Errorf("%q", text)
	}
	if out := test(t, s, disabled); out.Delivered == nil || !*out.Delivered {
		t.Errorf("disabled: %+v", out)
	}
	if text := off.next(t).text(t, "text"); !strings.Contains(text, "this is a test") {
		t.Errorf("%q", text)
	}
	for _, r := range []*receiver{tested, other, off} {
		r.nothing(t)
	}
	var rows []api.AuditRow
	s.Admin(t, "GET", "/admin/audit-logs?limit=10", nil, &rows)
	tests := 0
	for _, row := range rows {
		if row.Action == "recovery_boot" || row.Status == "alarm" {
			t.Errorf("%+v", row)
		}
		if row.Action == "test_notification_channel" {
			tests++
		}
	}
	if tests != 2 {
		t.Errorf("%d tests recorded", tests)
	}
}

func TestFailedTestSaysWhy(t *testing.T) {
	s, _ := started(t)
	r := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	id := channel(t, s, "slack", "gone", hook(r))
	if out := test(t, s, id); out.Delivered == nil || *out.Delivered || out.Error != "the receiver answered 404" {
		t.Errorf("%+v", out)
	}
	r.Close()
	if out := test(t, s, id); out.Error != "the connection was refused" {
		t.Errorf("%+v", out)
	}
	var list []api.Channel
	if s.Admin(t, "GET", "/admin/notification-channels", nil, &list); list[0].Queued != 0 || list[0].DeadLetters != 0 || list[0].LastError != "" {
		t.Errorf("a test counts as a message: %+v", list[0])
	}
}

// A receiver that never answers keeps nobody but itself waiting.
func TestHungReceiver(t *testing.T) {
	s, a := started(t)
	release := make(chan struct{})
	hung := receive(t, func(int, http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	good := receive(t, nil)
	channel(t, s, "slack", "hung", hook(hung))
	channel(t, s, "slack", "good", hook(good))
	for _, host := range []string{"b", "c", "d"} {
		alarm(t, s, a, host)
	}
	hung.next(t)
	for _, host := range []string{"b", "c", "d"} {
		if text := good.next(t).text(t, "text"); !strings.Contains(text, "about: "+host+"\n") {
			t.Errorf("%q, want host %s", text, host)
		}
	}
	hung.nothing(t)
}

// Refused three times, a message is laid aside, and comes again when somebody
// asks for it. The other channels hear of it.
func TestDeadLetters(t *testing.T) {
	s, a := started(t)
	var mended atomic.Bool
	r := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !mended.Load() {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	other := receive(t, nil)
	id := channel(t, s, "slack", "first", hook(r), func(in *api.CreateChannel) { in.Events = []string{"agent_on_two_hosts"} })
	channel(t, s, "slack", "second", hook(other), func(in *api.CreateChannel) { in.Events = []string{"notification_failed"} })
	alarm(t, s, a, "b")
	for range 3 {
		r.next(t)
		// Changing a channel makes what waits due at once.
		until(t, func() bool { return state(t, s, id).LastError != "" })
		s.Admin(t, "PUT", "/admin/notification-channels/"+id, `{"enabled":true}`, nil)
	}
	if text := other.next(t).text(t, "text"); !strings.Contains(text, "about: first") {
		t.Errorf("%q", text)
	}
	r.nothing(t)
	path := "/admin/notification-channels/" + id + "/dead-letters"
	var dead []api.DeadLetter
	if s.Admin(t, "GET", path, nil, &dead); len(dead) != 1 || dead[0].Kind != "agent_on_two_hosts" || dead[0].Attempts != 3 || dead[0].Error != "the receiver answered 403" {
		t.Fatalf("%+v", dead)
	}
	if answer := s.TryAdmin(t, "POST", path+"/99/retry", nil); answer.Status != http.StatusNotFound {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	mended.Store(true)
	var retried api.Retried
	if s.Admin(t, "POST", path+"/retry", nil, &retried); retried.Queued != 1 {
		t.Errorf("%+v", retried)
	}
	if text := r.next(t).text(t, "text"); !strings.Contains(text, "about: b") {
		t.Errorf("%q", text)
	}
	until(t, func() bool {
		c := state(t, s, id)
		return c.DeliveredAt != nil && c.LastError == "" && c.DeadLetters == 0
	})
}

func state(t *testing.T, s *servertest.Server, id string) api.Channel {
	t.Helper()
	var list []api.Channel
	s.Admin(t, "GET", "/admin/notification-channels", nil, &list)
	for _, c := range list {
		if c.ID == id {
			return c
		}
	}
	t.Fatal("no such channel")
	return api.Channel{}
}

// until asks again until the answer is yes.
func until(t *testing.T, yes func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !yes() {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
	}
}

func TestFilters(t *testing.T) {
	s, a := started(t)
	all, urgent, elsewhere, asked, off := receive(t, nil), receive(t, nil), receive(t, nil), receive(t, nil), receive(t, nil)
	channel(t, s, "slack", "all", hook(all))
	channel(t, s, "slack", "urgent", hook(urgent), func(in *api.CreateChannel) { in.MinSeverity = "critical" })
	channel(t, s, "slack", "elsewhere", hook(elsewhere), func(in *api.CreateChannel) { in.Namespaces = []string{"prod"} })
	channel(t, s, "slack", "asked", hook(asked), func(in *api.CreateChannel) {
		in.Events, in.Template = []string{"discover_pending_new"}, "{{agent}} wants {{variables}} for {{ project }}"
	})
	channel(t, s, "slack", "off", hook(off), func(in *api.CreateChannel) { in.Enabled = new(false) })
	pending(t, s, a)
	alarm(t, s, a, "b")
	all.next(t)
	if text := all.next(t).text(t, "text"); !strings.Contains(text, "two hosts") {
		t.Errorf("%q", text)
	}
	if text := urgent.next(t).text(t, "text"); !strings.Contains(text, "two hosts") {
		t.Errorf("%q", text)
	}
	if text := asked.next(t).text(t, "text"); text != "bot wants OPENAI_API_KEY for app" {
		t.Errorf("%q", text)
	}
	// What they were to get was queued with what the others got.
	for _, r := range []*receiver{all, urgent, elsewhere, asked, off} {
		r.nothing(t)
	}
}

// Nothing of a config is in an answer, in the log or in the audit trail.
func TestConfigStaysSealed(t *testing.T) {
	s, a := started(t)
	r := receive(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader([]int{500, 302, 404}[n%3])
		io.WriteString(w, "canary-of-the-receiver")
	})
	ids := []string{
		channel(t, s, "slack", "slack", hook(r)),
		channel(t, s, "telegram", "telegram", map[string]any{"bot_token": "123:canary", "chat_id": 7, "api_url": r.URL}),
		channel(t, s, "webhook", "webhook", map[string]string{"url": "http://127.0.0.1:1/canary", "secret": "canary-canary-canary"}),
		channel(t, s, "email", "email", map[string]any{"to": "canary@example.org", "smtp": map[string]any{"host": "127.0.0.1", "port": 1, "tls": "none", "from": "canary@example.org", "username": "canary", "password": "canary"}}),
	}
	alarm(t, s, a, "b")
	var seen strings.Builder
	for _, id := range ids {
		until(t, func() bool { return state(t, s, id).LastError != "" })
		seen.WriteString(test(t, s, id).Error)
		seen.Write(s.TryAdmin(t, "PUT", "/admin/notification-channels/"+id, `{"config":{"webhook_url":"http://canary.example"}}`).Body)
		seen.Write(s.TryAdmin(t, "GET", "/admin/notification-channels/"+id+"/dead-letters", nil).Body)
	}
	for _, body := range []string{
		`{"channel_type":"slack","name":"x","config":"canary"}`,
		`{"channel_type":"slack","name":"x","config":{"webhook_url":"http://user:canary@example.org/"}}`,
		`{"channel_type":"slack","name":"x","config":{"webhook_url":["canary"]}}`,
		`{"channel_type":"webhook","name":"x","config":{"url":"https://example.org/canary","secret":"canary"}}`,
		`{"channel_type":"telegram","name":"x","config":{"bot_token":"canary","chat_id":1}}`,
	} {
		answer := s.TryAdmin(t, "POST", "/admin/notification-channels", body)
		if answer.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", body, answer.Status)
		}
		seen.Write(answer.Body)
	}
	seen.Write(s.TryAdmin(t, "GET", "/admin/notification-channels", nil).Body)
	seen.Write(s.TryAdmin(t, "GET", "/admin/audit-logs", nil).Body)
	seen.WriteString(s.Log())
	if strings.Contains(seen.String(), "canary") {
		for line := range strings.Lines(seen.String()) {
			if strings.Contains(line, "canary") {
				t.Errorf("%s", line)
			}
		}
	}
	if !strings.Contains(s.Log(), "could not deliver a notification") {
		t.Error("nothing is logged")
	}
}

func TestStats(t *testing.T) {
	s, a := started(t)
	r := receive(t, nil)
	channel(t, s, "slack", "slack", hook(r))
	alarm(t, s, a, "b")
	r.next(t)
	until(t, func() bool { return s.Notifier.Stats().Delivered == 1 })
}
