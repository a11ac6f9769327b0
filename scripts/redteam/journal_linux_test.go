package redteam

import (
	"crypto/ed25519"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/journal"
	"github.com/cortex-auth/cortex/vault/proof"
)

var journalMoves = moves{
	"journal-forged": journalForged,
	"journal-cut":    journalCut,
}

// A diary is the journal of a daemon whose server was away.
type diary struct {
	*site
	agent *servertest.Agent
	lines []string
}

// keptDiary is a diary of three uses.
func keptDiary(t *testing.T, s *site) *diary {
	t.Helper()
	variable, _, _ := s.secret(t)
	a, app := s.agent(t), named("app")
	s.Admin(t, http.MethodPut, "/admin/projects/"+app+"/settings", object{"offline_ttl_seconds": 3600}, nil)
	var fetched struct {
		Offline struct{ Receipt string }
	}
	ok(t, a.Fetch(t, app, a.Obtain(t, app, variable).Token)).JSON(t, &fetched)
	d := &diary{site: s, agent: a}
	var chain journal.Chain
	for range 3 {
		e, good := chain.Next(time.Now().Unix(), fetched.Offline.Receipt, []string{variable})
		if !good {
			t.Fatalf("no entry for %q", fetched.Offline.Receipt)
		}
		e.Signature = ed25519.Sign(a.Attestation, e.Message())
		chain = journal.After(e)
		d.lines = append(d.lines, e.Line())
	}
	return d
}

// tell has a daemon tell what is in a diary, which need not be its own.
func tell(t *testing.T, s *site, a *servertest.Agent, lines []string) servertest.Answer {
	t.Helper()
	const path = "/daemon/journal"
	body := marshal(object{"entries": lines})
	return s.Do(t, servertest.Request{Method: http.MethodPost, Path: path, Body: body, Header: http.Header{
		"X-Daemon-Attestation": {a.Sign(http.MethodPost, path, body, proof.AgentTokenID(a.ID))},
	}})
}

// uses is how often the trail says that an agent used what it held.
func (d *diary) uses(t *testing.T) (n int) {
	t.Helper()
	for _, r := range d.trail(t, "offline_use") {
		if r.AgentID == d.agent.ID {
			n++
		}
	}
	return n
}

// journalForged says of what was used that it was something else, or that somebody
// else used it.
func journalForged(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	d := keptDiary(t, s)
	other := s.agent(t)
	edit := func(from, to string) []string {
		lines := slices.Clone(d.lines)
		if lines[1] = strings.Replace(lines[1], from, to, 1); lines[1] == d.lines[1] {
			t.Fatalf("there is no %q in %s", from, lines[1])
		}
		return lines
	}
	for name, try := range map[string]servertest.Answer{
		"other names":   tell(t, s, d.agent, edit("|KEY_", "|KAY_")),
		"another time":  tell(t, s, d.agent, edit("|17", "|16")),
		"somebody else": tell(t, s, other, d.lines),
	} {
		if !refused(t, try) {
			t.Logf("%s: %d %s", name, try.Status, try.Body)
			return open
		}
	}
	if d.uses(t) > 0 {
		return open
	}
	if !slices.Contains(alarmsOf(t, s), "offline_journal_rejected") {
		t.Fatal("nobody is told")
	}
	for range 2 { // once is as good as twice
		ok(t, tell(t, s, d.agent, d.lines))
	}
	if n := d.uses(t); n != 3 {
		t.Fatalf("%d uses are recorded of 3", n)
	}
	return stopped
}

// journalCut leaves out what should not be known.
func journalCut(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	d := keptDiary(t, s)
	if refused(t, tell(t, s, d.agent, append(d.lines[:1:1], d.lines[2]))) {
		ok(t, tell(t, s, d.agent, d.lines[:1]))
		if refused(t, tell(t, s, d.agent, d.lines[2:])) {
			return stopped
		}
	}
	switch {
	case slices.Contains(alarmsOf(t, s), "offline_journal_gap"):
		return alarm
	case slices.Contains(alarmsOf(t, s), "offline_journal_rejected"):
		return stopped
	}
	return open
}
