package server_test

import (
	"cmp"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
)

// An asked is an answer that is waited for, and the time it took.
type asked struct {
	servertest.Answer
	took time.Duration
}

// asking sends a request in the background, and returns when it waits.
func asking(ask func() servertest.Answer) <-chan asked {
	answers := make(chan asked, 1)
	go func() {
		started := time.Now()
		answers <- asked{ask(), time.Since(started)}
	}()
	synctest.Wait()
	return answers
}

// Whoever waits for a decision hears of it at once: no time goes by in which
// anybody would look again.
func TestWaitForDecision(t *testing.T) {
	for status, decide := range map[string]func(*testing.T, *servertest.Server, string){
		api.StatusApproved: func(t *testing.T, s *servertest.Server, path string) { s.Admin(t, "POST", path+"/approve", `{}`, nil) },
		api.StatusDenied:   func(t *testing.T, s *servertest.Server, path string) { s.Admin(t, "POST", path+"/deny", nil, nil) },
		"":                 func(t *testing.T, s *servertest.Server, path string) { s.Admin(t, "DELETE", path, nil, nil) },
	} {
		t.Run(cmp.Or(status, "deleted"), func(t *testing.T) {
			inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
				a := staged(t, s)
				id := begin(t, a, "app", "OPENAI_API_KEY")
				path := "/agent/pending-grants/" + id
				wantBody(t, a.Ask(t, path, ""), http.StatusOK,
					`{"grant_id":"`+id+`","project_name":"app","status":"pending","requested_keys":["OPENAI_API_KEY"],"approved_keys":[],"auto_approval_until":null}`)
				waiting := asking(func() servertest.Answer { return a.Ask(t, path, "?wait=60s") })
				time.Sleep(7 * time.Second)
				decide(t, s, "/admin/pending-grants/"+id)
				got := <-waiting
				if got.took != 7*time.Second {
					t.Errorf("told after %s", got.took)
				}
				if status == "" {
					wantError(t, got.Answer, http.StatusNotFound, api.NotFound)
					return
				}
				var g api.GrantStatus
				if got.JSON(t, &g); g.Status != status {
					t.Errorf("%s", got.Body)
				}
				// What is decided is answered without waiting.
				if got := <-asking(func() servertest.Answer { return a.Ask(t, path, "?wait=60s") }); got.took != 0 {
					t.Errorf("%s for what is decided", got.took)
				}
			})
		})
	}
}

// A wait ends when its time is over, and when the server stops, with how
// things stand.
func TestEndsOfAWait(t *testing.T) {
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		id := begin(t, a, "app", "OPENAI_API_KEY")
		wait := func() <-chan asked {
			return asking(func() servertest.Answer { return a.Ask(t, "/agent/pending-grants/"+id, "?wait=60s") })
		}
		var g api.GrantStatus
		got := <-wait()
		if got.JSON(t, &g); got.took != time.Minute || g.Status != api.StatusPending {
			t.Errorf("%s after %s", got.Body, got.took)
		}
		frozen := wait()
		freeze(t, s, api.KindAgent, "bot")
		wantError(t, (<-frozen).Answer, http.StatusUnauthorized, api.Unauthorized)
		unfreeze(t, s, api.KindAgent, "bot")

		mine, list := wait(), asking(func() servertest.Answer { return s.TryAdmin(t, "GET", "/admin/pending-grants?wait=60s", nil) })
		if err := s.Handler.HTTPServer().Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for _, answer := range []asked{<-mine, <-list} {
			if answer.took != 0 || answer.Status != http.StatusOK {
				t.Errorf("%d after %s", answer.Status, answer.took)
			}
		}
	})
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		id := begin(t, a, "app", "OPENAI_API_KEY")
		waiting := asking(func() servertest.Answer { return a.Ask(t, "/agent/pending-grants/"+id, "?wait=60s") })
		if err := s.Vault.Close(); err != nil {
			t.Fatal(err)
		}
		wantError(t, (<-waiting).Answer, http.StatusServiceUnavailable, api.Sealed)
	})
}

// Others learn nothing of a request, not even that there is one.
func TestGrantStatusIsTheAgentsOwn(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
	a := staged(t, s)
	id := begin(t, a, "app", "OPENAI_API_KEY")
	other := s.Enrol(t, "other")
	mine := other.Ask(t, "/agent/pending-grants/"+id, "?wait=60s")
	none := other.Ask(t, "/agent/pending-grants/nope", "?wait=60s")
	wantError(t, mine, http.StatusNotFound, api.NotFound)
	if string(mine.Body) != string(none.Body) {
		t.Errorf("%s and %s differ", mine.Body, none.Body)
	}
	for _, wait := range []string{"61s", "-1s", "x", "1h", "1s&wait=2s"} {
		wantError(t, a.Ask(t, "/agent/pending-grants/"+id, "?wait="+wait), http.StatusBadRequest, api.InvalidRequest)
	}
	wantError(t, s.Do(t, servertest.Request{Method: "GET", Path: "/agent/pending-grants/" + id}), http.StatusUnauthorized, api.Unauthorized)
}

// An answer that takes longer than any other may still comes.
func TestWaitOutlastsTheTimeouts(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", tls), func(t *testing.T) {
			t.Parallel()
			s := servertest.With(t, servertest.Config{Unlimited: true, Timeout: time.Second, TLS: tls})
			a := staged(t, s)
			id := begin(t, a, "app", "OPENAI_API_KEY")
			l := a.Listen(t)
			var g api.GrantStatus
			started := time.Now()
			if a.Ask(t, "/agent/pending-grants/"+id, "?wait=2s").JSON(t, &g); g.Status != api.StatusPending || time.Since(started) < 2*time.Second {
				t.Errorf("%+v after %s", g, time.Since(started))
			}
			if e, ok := l.Read(t); !ok || e.Event != api.EventHeartbeat {
				t.Errorf("the first sign of life is %+v", e)
			}
		})
	}
}

// An administrator waits for the list to change.
func TestWaitForTheList(t *testing.T) {
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		first := s.TryAdmin(t, "GET", "/admin/pending-grants", nil)
		tag := first.Header.Get("ETag")
		if tag == "" || string(first.Body) != "[]\n" {
			t.Fatalf("%q %s", tag, first.Body)
		}
		for _, tc := range []struct {
			query, tag string
			took       time.Duration
			status     int
		}{
			{"", tag, 0, http.StatusNotModified},
			{"?wait=10s", tag, 10 * time.Second, http.StatusNotModified},
			{"?wait=10", "", 10 * time.Second, http.StatusOK},
			{"?wait=60s", `"other"`, 0, http.StatusOK},
		} {
			got := <-asking(func() servertest.Answer { return listing(t, s, tc.query, tc.tag) })
			if got.Status != tc.status || got.took != tc.took || (got.Status == http.StatusNotModified) != (len(got.Body) == 0) {
				t.Errorf("%s %s: %d %q after %s", tc.query, tc.tag, got.Status, got.Body, got.took)
			}
		}
		for _, known := range []string{tag, ""} {
			waiting := asking(func() servertest.Answer { return listing(t, s, "?wait=60s&status=pending", known) })
			id := begin(t, a, "app", "OPENAI_API_KEY")
			got := <-waiting
			var list []api.PendingGrant
			if got.JSON(t, &list); len(list) != 1 || list[0].ID != id || got.Header.Get("ETag") == tag || got.took != 0 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			s.Admin(t, "DELETE", "/admin/pending-grants/"+id, nil, nil)
		}
		wantError(t, listing(t, s, "?wait=2m", ""), http.StatusBadRequest, api.InvalidRequest)
	})
}

// An account that ends while it waits sees nothing more.
func TestWaitOfAnAccountThatEnds(t *testing.T) {
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		token := logIn(t, s, "ann", "approver")
		waiting := asking(func() servertest.Answer { return as(t, s, token, "GET", "/admin/pending-grants?wait=60s", nil) })
		var users []struct{ ID string }
		s.Admin(t, "GET", "/admin/users", nil, &users)
		s.Admin(t, "DELETE", "/admin/users/"+users[0].ID, nil, nil)
		begin(t, a, "app", "OPENAI_API_KEY")
		wantError(t, (<-waiting).Answer, http.StatusUnauthorized, api.Unauthorized)
	})
}

func listing(t *testing.T, s *servertest.Server, query, tag string) servertest.Answer {
	h := http.Header{"X-Admin-Token": {s.AdminToken}}
	if tag != "" {
		h.Set("If-None-Match", tag)
	}
	return s.Do(t, servertest.Request{Method: "GET", Path: "/admin/pending-grants" + query, Header: h})
}

// Of one agent 32 may wait, of one source 256, and of all places each is given
// back.
func TestPlacesForWaiters(t *testing.T) {
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		id := begin(t, a, "app", "OPENAI_API_KEY")
		mine := func() servertest.Answer { return a.Ask(t, "/agent/pending-grants/"+id, "?wait=60s") }
		list := func() servertest.Answer { return s.TryAdmin(t, "GET", "/admin/pending-grants?wait=60s", nil) }
		for range 2 {
			var waiting []<-chan asked
			for range 32 {
				waiting = append(waiting, asking(mine))
			}
			over := mine()
			wantError(t, over, http.StatusTooManyRequests, api.RateLimited)
			if over.Header.Get("Retry-After") == "" {
				t.Error("nothing says when to come back")
			}
			for len(waiting) < 256 {
				waiting = append(waiting, asking(list))
			}
			wantError(t, list(), http.StatusTooManyRequests, api.RateLimited)
			if answer := listing(t, s, "", ""); answer.Status != http.StatusOK {
				t.Errorf("a list without waiting: %d", answer.Status)
			}
			id2 := begin(t, a, "other", "OPENAI_API_KEY") // the lists change
			for n, w := range waiting {
				if got := <-w; got.Status != http.StatusOK || n >= 32 && got.took != 0 {
					t.Errorf("waiter %d: %d after %s", n, got.Status, got.took)
				}
			}
			s.Admin(t, "DELETE", "/admin/pending-grants/"+id2, nil, nil)
		}
	})
}

// Two hundred wait at once, over as many connections, and all hear of it.
func TestManyWaiters(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	tag := listing(t, s, "", "").Header.Get("ETag")
	var waiters sync.WaitGroup
	var mu sync.Mutex
	woken := map[int]int{}
	for range 200 {
		waiters.Go(func() {
			answer := listing(t, s, "?wait=60s", tag)
			mu.Lock()
			defer mu.Unlock()
			woken[answer.Status]++
		})
	}
	begin(t, a, "app", "OPENAI_API_KEY")
	waiters.Wait()
	if woken[http.StatusOK] != 200 {
		t.Errorf("woken %v", woken)
	}
}

// Whatever takes a request away ends the wait for it.
func TestWaitEndsWithTheRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(*testing.T, *servertest.Server, *servertest.Agent)
		code api.Code
	}{
		"settled by a larger one": {func(t *testing.T, s *servertest.Server, a *servertest.Agent) {
			larger := begin(t, a, "app", "PASSWORD", "OTHER")
			s.Admin(t, "POST", "/admin/pending-grants/"+larger+"/approve", `{}`, nil)
		}, api.NotFound},
		"project deleted": {func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/projects/app", nil, nil)
		}, api.NotFound},
		"grant deleted": {func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			var list []api.Grant
			s.Admin(t, "GET", "/admin/projects/app/grants", nil, &list)
			for _, g := range list {
				s.Admin(t, "DELETE", "/admin/projects/app/grants/"+g.ID, nil, nil)
			}
		}, api.NotFound},
		"agent deleted": {func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/agents/bot", nil, nil)
		}, api.Unauthorized},
		"session ended": {func(t *testing.T, s *servertest.Server, a *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/daemon-sessions/"+a.SessionID, nil, nil)
		}, api.Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
				a := staged(t, s)
				s.Secret(t, "other", "x")
				a.Obtain(t, "app", "OPENAI_API_KEY")
				id := begin(t, a, "app", "PASSWORD")
				waiting := asking(func() servertest.Answer { return a.Ask(t, "/agent/pending-grants/"+id, "?wait=60s") })
				tc.end(t, s, a)
				got := <-waiting
				if got.Code() != string(tc.code) || got.took != 0 {
					t.Errorf("%d %s after %s", got.Status, got.Body, got.took)
				}
			})
		})
	}
}
