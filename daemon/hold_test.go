package daemon

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A receipt as it could be.
const someReceipt = "1,7f3c2b1a-0000-4000-8000-000000000001,7f3c2b1a-0000-4000-8000-000000000002,A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg,default,my-app,1796000000123456789,1796028800123456789,Q_x3wETBH9qHXpLSSt3LfugYR4z71Rjmf2XCwtDBDl0"

// brought is what a fetch brought, usable for some seconds.
func brought(seconds int64, pairs ...string) client.Secrets {
	got := client.Secrets{Values: map[string]opaque.Bytes{}, Offline: &api.Offline{TTLSeconds: seconds, Receipt: someReceipt}}
	for i := 0; i < len(pairs); i += 2 {
		got.Values[pairs[i]] = opaque.New([]byte(pairs[i+1]))
	}
	return got
}

func tokenFor(names ...string) *token { return &token{names: names} }

func emptyHolds(t *testing.T) *holds {
	hs := &holds{log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() { hs.forget("") })
	return hs
}

func TestHoldGivesWhatTheFetchBrought(t *testing.T) {
	hs := emptyHolds(t)
	tok := tokenFor("A", "B", "C", "NONE")
	tok.unmatched, tok.waiting, tok.unmaskable = []string{"NONE"}, "grant", true
	got := brought(60, "A", "value-a", "B", "value-b")
	got.Withheld = []string{"C"}
	got.SSHKeys = map[string]api.SSHKey{"K": {}}
	if until, full := hs.keep("app", hs.begin(), tok, got); until.IsZero() || full {
		t.Fatal(until, full)
	}
	got.Wipe() // as it is after the run
	for range 2 {
		g, h, unknown := hs.take("app", wish{names: []string{"A", "NONE"}, needed: []string{"A", "NONE"}})
		if h == nil || unknown != nil || len(g.values) != 1 || string(g.values["A"].Reveal()) != "value-a" ||
			!slices.Equal(g.missing, []string{"NONE"}) || g.waiting != "grant" || !g.unmaskable || len(g.keys) != 1 || h.receipt != someReceipt {
			t.Errorf("%+v, %v", g, unknown)
		}
		g.wipe() // which leaves what is held
	}
	for _, names := range [][]string{{"D"}, {"A", "C"}} {
		if g, h, unknown := hs.take("app", wish{names: names}); h == nil || len(unknown) != 1 || len(g.values) != 0 || hs.covers("app", wish{names: names}) {
			t.Errorf("%q: %+v, %q", names, g, unknown)
		}
	}
	if _, h, _ := hs.take("other", wish{}); h != nil || hs.covers("other", wish{}) {
		t.Error("another project has something")
	}
}

// What was forgotten while a fetch was under way is not kept from it.
func TestHoldIsForgotten(t *testing.T) {
	hs := emptyHolds(t)
	keep := func(project string, s since) bool {
		until, _ := hs.keep(project, s, tokenFor("A"), brought(60, "A", "v"))
		return !until.IsZero()
	}
	before := hs.begin()
	hs.forget("app")
	if keep("app", before) || len(hs.untils()) != 0 {
		t.Error("kept although something was forgotten meanwhile")
	}
	if !keep("app", hs.begin()) || !keep("b", hs.begin()) {
		t.Fatal("not kept")
	}
	if hs.forget("app"); len(hs.untils()) != 1 {
		t.Error("another project's went")
	}
	if hs.forget(""); len(hs.untils()) != 0 || hs.size != 0 {
		t.Error("something is left")
	}
	// The server takes it back, or says nonsense.
	for _, o := range []*api.Offline{nil, {TTLSeconds: 0, Receipt: someReceipt}, {TTLSeconds: -1, Receipt: someReceipt}, {TTLSeconds: 60, Receipt: "1|2"}} {
		keep("app", hs.begin())
		got := brought(60, "A", "v")
		got.Offline = o
		if until, _ := hs.keep("app", hs.begin(), tokenFor("A"), got); !until.IsZero() || len(hs.untils()) != 0 {
			t.Errorf("%+v is held", o)
		}
	}
}

// What may be stale is told once, and is held no longer than before.
func TestHoldInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hs := emptyHolds(t)
		for _, name := range []string{"a", "b", "c"} {
			hs.keep(name, hs.begin(), tokenFor("A"), brought(60, "A", "v"))
		}
		was := hs.untils()["a"]
		time.Sleep(10 * time.Second)
		begun := hs.begin()
		hs.doubt()
		hs.forget("b")
		hs.keep("c", hs.begin(), tokenFor("A"), brought(60, "A", "v"))
		if until, _ := hs.keep("a", begun, tokenFor("A"), brought(60, "A", "v")); !until.IsZero() {
			t.Error("a fetch from before the doubt is kept")
		}
		stale := hs.takeStale()
		if len(stale) != 1 || !slices.Equal(stale["a"].names, []string{"A"}) || len(hs.takeStale()) != 0 {
			t.Errorf("%+v", stale)
		}
		hs.keep("a", hs.begin(), tokenFor("A"), brought(60, "A", "v"))
		hs.shorten("a", stale["a"].until)
		if got := hs.untils()["a"]; !got.Equal(was) {
			t.Errorf("until %v, want %v", got, was)
		}
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if left := hs.untils(); len(left) != 1 || left["c"].IsZero() {
			t.Errorf("%v are left", left)
		}
	})
}

func TestHoldRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hs := emptyHolds(t)
		began := hs.begin()
		time.Sleep(2 * time.Second) // the server took its time
		hs.keep("app", began, tokenFor("A"), brought(60, "A", "v"))
		hs.all["app"].timer.Stop() // as of a machine that slept
		time.Sleep(58*time.Second - 1)
		if !hs.covers("app", wish{names: []string{"A"}}) {
			t.Error("over too early")
		}
		time.Sleep(time.Nanosecond)
		if _, h, _ := hs.take("app", wish{names: []string{"A"}}); h != nil || hs.covers("app", wish{names: []string{"A"}}) {
			t.Error("not over")
		}
		hs.keep("app", hs.begin(), tokenFor("A"), brought(60, "A", "v"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if hs.size != 0 {
			t.Error("what nobody asked for is left")
		}
		hs.keep("app", hs.begin(), tokenFor("A"), brought(1<<62, "A", "v"))
		if until := hs.untils()["app"]; time.Until(until) != maxOffline {
			t.Errorf("until %v", until)
		}
	})
}

func TestHoldHasRoomForSoMuch(t *testing.T) {
	hs := emptyHolds(t)
	half := strings.Repeat("x", maxHold/2)
	if _, full := hs.keep("app", hs.begin(), tokenFor("A", "B"), brought(60, "A", half, "B", half)); !full {
		t.Error("more than a project may")
	}
	for i, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		if until, full := hs.keep(name, hs.begin(), tokenFor("A"), brought(60, "A", half)); full || until.IsZero() {
			t.Errorf("no room after %d", i)
		}
	}
	if _, full := hs.keep("h", hs.begin(), tokenFor("A"), brought(60, "A", half, "B", "1234567890")); !full {
		t.Error("more than all may")
	}
	if _, full := hs.keep("a", hs.begin(), tokenFor("A"), brought(60, "A", half)); full {
		t.Error("what takes its own place has none")
	}
}
