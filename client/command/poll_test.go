package command

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
)

// A script answers each poll in turn, the last answer for ever, and notes
// when it was asked.
type script struct {
	start   time.Time
	answers []string // "status body"; "" is a server that is away
	asked   []time.Duration
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, time.Since(s.start))
	a := s.answers[min(len(s.asked), len(s.answers))-1]
	if a == "" {
		return nil, errors.New("connection refused")
	}
	code, body, _ := strings.Cut(a, " ")
	status := map[string]int{"200": 200, "400": 400, "401": 401, "429": 429, "503": 503}[code]
	header := http.Header{}
	if after, rest, ok := strings.Cut(body, "@"); ok {
		header.Set("Retry-After", after)
		body = rest
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
}

const (
	pending  = `401 {"error":"x","error_code":"authorization_pending"}`
	pending2 = `400 {"error":"authorization_pending","error_code":"authorization_pending"}`
	slower   = `400 {"error":"slow_down","error_code":"slow_down"}`
	tooMany  = `429 {"error":"rate limit"}`
	later    = `429 20@{"error":"rate limit","error_code":"rate_limited"}`
	plain429 = `429 Too many requests`
	done     = `200 {"access_token":"jwt","token_type":"Bearer","expires_in":60,"kid":"k"}`
)

func TestPolling(t *testing.T) {
	seconds := func(s ...int) (d []time.Duration) {
		for _, n := range s {
			d = append(d, time.Duration(n)*time.Second)
		}
		return d
	}
	for name, row := range map[string]struct {
		answers          []string
		interval, expiry int64
		asked            []time.Duration
		err              string
		ended            time.Duration
	}{
		"approved before the first question":    {[]string{done}, 5, 600, seconds(0), "", 0},
		"the first at once, then each interval": {[]string{pending, pending2, done}, 5, 600, seconds(0, 5, 10), "", 10 * time.Second},
		"no interval means five seconds":        {[]string{pending, done}, 0, 600, seconds(0, 5), "", 5 * time.Second},
		"an absurd interval is capped":          {[]string{pending, done}, 1 << 40, 600, seconds(0, 60), "", time.Minute},
		"slow_down lasts":                       {[]string{pending, slower, pending, done}, 5, 600, seconds(0, 5, 15, 25), "", 25 * time.Second},
		"429 is waited out":                     {[]string{pending, tooMany, tooMany, plain429, done}, 5, 600, seconds(0, 5, 15, 30, 50), "", 50 * time.Second},
		"429 says how long":                     {[]string{later, done}, 5, 600, seconds(0, 20), "", 20 * time.Second},
		"a server away is waited for":           {[]string{pending, "", "", `503 {"error":"sealed","error_code":"sealed"}`, done}, 5, 600, seconds(0, 5, 15, 35, 75), "", 75 * time.Second},
		"nobody approves":                       {[]string{pending}, 5, 12, seconds(0, 5, 10), "nobody approved", 12 * time.Second},
		"no expiry means ten minutes":           {[]string{pending}, 60, 0, seconds(0, 60, 120, 180, 240, 300, 360, 420, 480, 540), "nobody approved", 10 * time.Minute},
		"denied":                                {[]string{pending, `400 {"error":"access_denied","error_code":"access_denied"}`}, 5, 600, seconds(0, 5), "said no", 5 * time.Second},
		"the server forgot":                     {[]string{pending, `401 {"error":"unknown code"}`}, 5, 600, seconds(0, 5), "unknown code", 5 * time.Second},
		"no answer of a server":                 {[]string{`200 <html>`}, 5, 600, seconds(0), "not an answer", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{start: time.Now(), answers: row.answers}
				token, err := pollWith(t, t.Context(), s, row.interval, row.expiry)
				if row.err == "" && (err != nil || string(token.AccessToken.Reveal()) != "jwt") {
					t.Errorf("%v", err)
				}
				if row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err) || client.Hint(err) == "") {
					t.Errorf("error %v", err)
				}
				if !slices.Equal(s.asked, row.asked) || time.Since(s.start) != row.ended {
					t.Errorf("asked at %v, ended after %v", s.asked, time.Since(s.start))
				}
			})
		})
	}
}

func TestPollingStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		s := &script{start: time.Now(), answers: []string{pending}}
		if _, err := pollWith(t, ctx, s, 5, 600); !errors.Is(err, context.Canceled) || Status(err) != 130 {
			t.Errorf("%v", err)
		}
		if len(s.asked) != 2 || time.Since(s.start) != 7*time.Second {
			t.Errorf("asked at %v, ended after %v", s.asked, time.Since(s.start))
		}
	})
}

// A server that gives out one code a minute is waited for.
func TestPollingBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{start: time.Now(), answers: []string{later, tooMany, "200 " + authorized}}
		c, err := client.New(client.Config{URL: "https://v.example", HTTP: &http.Client{Transport: s}})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		auth, err := poll{client: c, key: newKey(t), say: func(text string) { said = append(said, text) }}.begin(t.Context(), identity.Host{Origin: "https://v.example"})
		if err != nil || auth.UserCode != "BCDF-GHJK" {
			t.Errorf("%+v, %v", auth, err)
		}
		if want := []time.Duration{0, 20 * time.Second, 80 * time.Second}; !slices.Equal(s.asked, want) || len(said) != 2 || !strings.Contains(said[0], "in 20s") {
			t.Errorf("asked at %v, said %q", s.asked, said)
		}
	})
}

// newKey returns a key of agent bot.
func newKey(t *testing.T) identity.Key {
	t.Helper()
	key, err := identity.Generate(identity.Path(t.TempDir(), "bot"), "bot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(key.Destroy)
	return key
}

func pollWith(t *testing.T, ctx context.Context, s *script, interval, expiry int64) (api.DeviceToken, error) {
	c, err := client.New(client.Config{URL: "https://v.example", HTTP: &http.Client{Transport: s}})
	if err != nil {
		return api.DeviceToken{}, err
	}
	auth := api.DeviceAuthorization{DeviceCode: api.NewValue([]byte("dc")), Interval: interval, ExpiresIn: expiry}
	return poll{client: c, key: newKey(t), say: func(string) {}}.wait(ctx, auth)
}
