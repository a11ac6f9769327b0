package redteam

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/server/servertest"
)

var diskMoves = moves{
	"full-disk":       fullDisk,
	"full-reserve":    fullReserve,
	"endless-fetches": endlessFetches,
}

// A smallSite has its file on a disk of 12 MiB, of which somebody has 4, an agent
// with the token of the project "app", and nothing else.
type smallSite struct {
	*site
	ballast         string
	agent           *servertest.Agent
	token           string
	variable, value string

	fetches, delivered int
}

func newSmallSite(t *testing.T, env ...string) *smallSite {
	t.Helper()
	s := prepare(t, env...)
	disk := filepath.Join(s.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=12m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	small := &smallSite{site: s, ballast: filepath.Join(disk, "ballast")}
	write(t, small.ballast, string(make([]byte, 4<<20)))
	s.env = append(s.env, "DATABASE_URL=bolt://"+filepath.Join(disk, "vault.db"))
	s.serve(t)
	small.variable, _, small.value = s.secret(t)
	small.agent = s.agent(t)
	small.token = small.agent.Obtain(t, "app", small.variable).Token
	s.agent(t).Obtain(t, "theirs", small.variable)
	return small
}

// fill keeps secrets until there is no room, the last ones small.
func (s *smallSite) fill(t *testing.T) {
	t.Helper()
	for _, size := range []int{200_000, 20_000, 1} {
		for n := 0; ; n++ {
			a := s.TryAdmin(t, http.MethodPost, "/admin/secrets", object{"key_path": named("fill"), "secret_type": "KEY_VALUE", "value": strings.Repeat("x", size)})
			if a.Status == http.StatusInsufficientStorage {
				break
			}
			if ok(t, a); n > 10_000 {
				t.Fatal("the disk does not fill")
			}
		}
	}
}

// fetch fetches, and reports whether the value came.
func (s *smallSite) fetch(t *testing.T) (status int, came bool) {
	t.Helper()
	a := s.agent.Fetch(t, "app", s.token)
	s.fetches++
	if came = strings.Contains(string(a.Body), s.value); came {
		s.delivered++
	}
	return a.Status, came
}

// fullDisk fetches and changes what it can on a disk that has no room for a record.
func fullDisk(t *testing.T) outcome {
	t.Parallel()
	s := newSmallSite(t)
	if _, came := s.fetch(t); !came {
		t.Fatal("nothing is delivered to begin with")
	}
	s.fill(t)
	// What is free within the file goes first.
	for n := 0; ; n++ {
		if status, _ := s.fetch(t); status == http.StatusInsufficientStorage {
			break
		}
		if n > 10_000 {
			return open
		}
	}
	made := 0
	for range 40 {
		if a := s.TryAdmin(t, http.MethodPost, "/admin/namespaces", object{"name": named("full")}); a.Status/100 == 2 {
			made++
		}
		s.fetch(t)
	}
	if err := os.Remove(s.ballast); err != nil {
		t.Fatal(err)
	}
	s.fetch(t)
	recorded := 0
	for _, r := range s.trail(t, "get_secrets") {
		if r.Status == "success" {
			recorded++
		}
	}
	there := strings.Count(string(s.TryAdmin(t, http.MethodGet, "/admin/namespaces", nil).Body), `"full-`)
	t.Logf("%d fetches, %d of them delivered, %d recorded; %d changes, %d said to be made", s.fetches, s.delivered, recorded, there, made)
	if s.delivered == s.fetches || s.delivered < 2 {
		t.Fatal("the disk was not full, or not again empty")
	}
	if recorded != s.delivered || there != made {
		return open
	}
	return stopped
}

// fullReserve has an agent with a good token try, until nothing of that is recorded
// any more, and then cuts it off.
func fullReserve(t *testing.T) outcome {
	t.Parallel()
	const whole = 2 << 20
	s := newSmallSite(t, "CORTEX_AUDIT_RESERVE=2MiB")
	left := func() int64 {
		info, err := os.Stat(filepath.Join(filepath.Dir(s.ballast), "vault.db.reserve"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	s.fill(t)
	// What it is refused is recorded: the project of another agent.
	try := func() {
		s.agent.Send(t, s.agent.Discovery("theirs", s.variable))
		if _, came := s.fetch(t); came && left() < whole {
			t.Error("something is delivered while the reserve is used")
		}
	}
	n := 0
	for ; left() > whole/2 && n < 10_000; n++ {
		try()
	}
	half := left()
	for range n / 4 {
		try()
	}
	t.Logf("%d bytes of the reserve are left after %d tries, then %d", half, n, left())
	switch {
	case half == whole:
		return stopped
	case left() < half:
		return open // it goes on
	}
	ok(t, s.TryAdmin(t, http.MethodPost, "/admin/freeze", object{"kind": "agent", "name": s.agent.ID}))
	s.stop(t)
	s.serve(t)
	if status, _ := s.fetch(t); status != http.StatusUnauthorized {
		return open
	}
	return limited
}

func endlessFetches(t *testing.T) outcome {
	t.Parallel()
	s := strict()
	near := s.from("192.0.2.50")
	variable, _, value := s.secret(t)
	a := near.Enrol(t, named("bot"))
	app := named("app")
	token := a.Obtain(t, app, variable).Token
	const many = 300
	for range many {
		if !fetched(t, a, app, token, value) {
			return stopped
		}
	}
	rows := 0
	for _, r := range s.trail(t, "get_secrets") {
		if r.Project == app {
			rows++
		}
	}
	if rows != many {
		t.Fatalf("%d records of %d fetches", rows, many)
	}
	return open
}
