package server_test

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// lists are all there are, with what they filter by.
var lists = []string{
	"/admin/secrets", "/admin/secrets?namespace=team", "/admin/agents", "/admin/agents?namespace=team", "/admin/policies",
	"/admin/namespaces", "/admin/projects", "/admin/projects/app/grants", "/admin/projects/app/grants?namespace=default",
	"/admin/pending-grants", "/admin/pending-grants?status=pending",
	"/admin/devices", "/admin/daemon-sessions", "/admin/allowed-daemon-versions",
	"/admin/freezes", "/admin/users", "/admin/confirmations", "/admin/notification-channels",
}

// populate puts a few rows into every list.
func populate(t *testing.T, s *servertest.Server) {
	t.Helper()
	for i := range 7 {
		ns := []string{"default", "team"}[i%2]
		var made struct{ ID string }
		s.Admin(t, "POST", "/admin/secrets", map[string]any{
			"key_path": fmt.Sprintf("key/%d", i/2), "secret_type": "KEY_VALUE", "value": "v", "namespace": ns,
		}, &made)
		s.Admin(t, "POST", "/admin/projects/app/grants", map[string]any{"secret_id": made.ID, "env_var_name": fmt.Sprintf("V%d", i)}, nil)
		s.Admin(t, "POST", "/admin/policies", map[string]any{"policy_name": fmt.Sprintf("p%d", i), "agent_pattern": "nobody", "allowed_paths": []string{}, "denied_paths": []string{"x"}}, nil)
		s.Admin(t, "POST", "/admin/allowed-daemon-versions", map[string]any{"binary_sha256": strings.Repeat(fmt.Sprint(i), 64)}, nil)
		s.Admin(t, "POST", "/admin/namespaces", map[string]any{"name": fmt.Sprintf("n%d", i)}, nil)
	}
	s.Admin(t, "POST", "/admin/allowed-daemon-versions", map[string]any{"binary_sha256": servertest.BinarySHA256}, nil)
	for i := range 4 {
		a := s.Enrol(t, fmt.Sprintf("agent-%d", i))
		if p := a.Send(t, a.Discovery(fmt.Sprintf("project-%d", i), "KEY_0", "KEY_1")); p.Code() != "pending_approval" {
			t.Fatalf("%d %s", p.Status, p.Body)
		}
		a.Discover(t, fmt.Sprintf("other-%d", i), "NOTHING")
		key, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Admin(t, "POST", "/admin/agents", map[string]any{"agent_id": fmt.Sprintf("a%d", i), "namespace": "team", "agent_pub": proof.EncodeKey(key)}, nil)
	}
}

// populateMore puts a few rows into the lists that [populate] leaves alone, and
// returns those of them that belong to one thing.
func populateMore(t *testing.T, s *servertest.Server) (lists []string) {
	t.Helper()
	id := s.Secret(t, "often/changed", "v")
	var channel struct{ ID string }
	for i := range 4 {
		n := fmt.Sprintf("n%d", i)
		s.Admin(t, "POST", "/admin/notification-channels", map[string]any{
			"channel_type": "slack", "name": n, "config": map[string]string{"webhook_url": "https://chat.example/"}, "events": []string{"freeze"},
		}, &channel)
	}
	for i := range 4 {
		n := fmt.Sprintf("n%d", i)
		s.Admin(t, "PUT", "/admin/secrets/"+id, map[string]any{"value": n}, nil)
		s.Admin(t, "POST", "/admin/secrets/"+id+"/shares", map[string]any{"namespace": n}, nil)
		s.Admin(t, "POST", "/admin/freeze", map[string]any{"kind": "namespace", "name": n}, nil)
		s.Admin(t, "POST", "/admin/users", map[string]any{"name": n, "role": "auditor", "password": "correct horse"}, nil)
		if a := s.TryAdmin(t, "POST", "/admin/shamir/generate", map[string]int{"threshold": 2 + i, "shares": 9}); a.Code() != "confirmation_required" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	refuseAll(t, s)
	return []string{
		"/admin/secrets/" + id + "/versions", "/admin/secrets/" + id + "/shares", "/admin/notification-channels/" + channel.ID + "/dead-letters",
	}
}

// refuseAll gives up all messages that wait.
func refuseAll(t *testing.T, s *servertest.Server) {
	t.Helper()
	for {
		due, _, err := s.Vault.Due(t.Context(), func(string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		for _, m := range due {
			if err := s.Vault.Undeliverable(t.Context(), m, "no"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// get returns the rows of an answer and its cursor.
func get(t *testing.T, s *servertest.Server, path, query string) (rows []any, next string) {
	t.Helper()
	u, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery = strings.Trim(u.RawQuery+"&"+query, "&")
	a := s.TryAdmin(t, "GET", u.String(), nil)
	if a.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", u, a.Status, a.Body)
	}
	a.JSON(t, &rows)
	return rows, a.Header.Get("X-Cortex-Next-Cursor")
}

// Page by page every list is what it is as a whole.
func TestPages(t *testing.T) {
	t.Parallel()
	s := servertest.With(t, servertest.Config{Unlimited: true, TwoPerson: true, Direct: true})
	populate(t, s)
	for _, list := range append(populateMore(t, s), lists...) {
		whole, next := get(t, s, list, "")
		if next != "" {
			t.Errorf("%s: a whole list has a next page", list)
		}
		if len(whole) < 2 {
			t.Fatalf("%s: %d rows", list, len(whole))
		}
		for _, limit := range []int{1, 2, 3, len(whole), 1000} {
			var all []any
			cursor := ""
			for pages := 0; ; pages++ {
				rows, next := get(t, s, list, fmt.Sprintf("limit=%d&cursor=%s", limit, cursor))
				if len(rows) > limit || len(rows) == 0 || pages > len(whole) {
					t.Fatalf("%s: %d rows of %d on page %d", list, len(rows), limit, pages)
				}
				all = append(all, rows...)
				if cursor = next; cursor == "" {
					break
				}
			}
			if !reflect.DeepEqual(all, whole) {
				t.Errorf("%s by %d:\n%v\nwant\n%v", list, limit, all, whole)
			}
		}
	}
}

// A page goes on where the last one ended, also when its last row is gone.
func TestPageAfterDeletion(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	populate(t, s)
	for _, list := range []string{"/admin/secrets", "/admin/policies"} {
		whole, _ := get(t, s, list, "")
		rows, next := get(t, s, list, "limit=2")
		s.Admin(t, "DELETE", list+"/"+rows[1].(map[string]any)["id"].(string), nil, nil)
		rest, _ := get(t, s, list, "cursor="+next)
		if !reflect.DeepEqual(rest, whole[2:]) {
			t.Errorf("%s: %v, want %v", list, rest, whole[2:])
		}
	}
}

// A cursor is good for its list only, and nobody makes one up.
func TestCursorIsBound(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	populate(t, s)
	_, next := get(t, s, "/admin/secrets", "limit=1")
	if next == "" {
		t.Fatal("no cursor")
	}
	flipped := []byte(next)
	flipped[len(flipped)/2] ^= 1
	for _, query := range []string{
		"/admin/agents?cursor=" + next, "/admin/secrets?namespace=team&cursor=" + next, "/admin/projects/app/grants?cursor=" + next,
		"/admin/secrets?cursor=" + string(flipped), "/admin/secrets?cursor=" + next[:8], "/admin/secrets?cursor=" + next + "AAAA",
		"/admin/secrets?cursor=%00", "/admin/secrets?cursor=" + next + "=", "/admin/secrets?cursor=" + strings.Repeat("A", 9000),
		"/admin/secrets?limit=0", "/admin/secrets?limit=1001", "/admin/secrets?limit=x", "/admin/secrets?limit=1&limit=2",
		"/admin/agents?limit=-1", "/admin/pending-grants?limit=0",
	} {
		if a := s.TryAdmin(t, "GET", query, nil); a.Status != http.StatusBadRequest {
			t.Errorf("%.80s: %d %s", query, a.Status, a.Body)
		}
	}
	if a := s.TryAdmin(t, "GET", "/admin/secrets?limit=5&cursor="+next, nil); a.Status != http.StatusOK {
		t.Errorf("the cursor itself: %d %s", a.Status, a.Body)
	}
}

// The client's iterators see every row, over several pages.
func TestClientPages(t *testing.T) {
	t.Parallel()
	s := servertest.With(t, servertest.Config{Unlimited: true})
	for i := range 1203 {
		s.Admin(t, "POST", "/admin/namespaces", map[string]any{"name": fmt.Sprintf("n%04d", i)}, nil)
	}
	c, err := client.New(client.Config{URL: s.URL, AdminToken: opaque.New([]byte(s.AdminToken)), HTTP: &http.Client{Timeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for n, err := range c.AllNamespaces(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, n.Name)
	}
	if len(names) != 1204 || !slices.IsSorted(names) || len(slices.Compact(names)) != 1204 {
		t.Errorf("%d names", len(names))
	}
}
