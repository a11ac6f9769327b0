package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// A namespace sees what is shared into it, as it is called there; the list of
// its own secrets is what it was.
func TestListOfShared(t *testing.T) {
	s := servertest.New(t)
	for _, ns := range []string{"team", "other"} {
		s.Admin(t, "POST", "/admin/namespaces", map[string]string{"name": ns}, nil)
	}
	ids := map[string]string{}
	for _, path := range []string{"a", "b", "c"} {
		ids[path] = s.Secret(t, path, "value")
		s.Admin(t, "POST", "/admin/secrets/"+ids[path]+"/shares", map[string]string{"namespace": "team", "key_path": "from/" + path}, nil)
	}
	s.Admin(t, "POST", "/admin/secrets/"+ids["a"]+"/shares", map[string]string{"namespace": "other", "key_path": "z"}, nil)
	s.SecretWith(t, map[string]any{"key_path": "own", "namespace": "team", "secret_type": "KEY_VALUE", "value": "x"})
	admin, ann := s.AdminToken, logIn(t, s, "ann", "admin", "team")

	const team = "team:from/a<default team:from/b<default team:from/c<default"
	for _, c := range []struct{ who, query, want string }{
		{admin, "?namespace=team", "team:own<"},
		{admin, "?namespace=team&shared=true", team},
		{admin, "?shared=true", "other:z<default " + team},
		{admin, "?namespace=other&shared=true", "other:z<default"},
		{admin, "?namespace=default&shared=true", ""},
		{admin, "?namespace=team&shared=true&prefix=from/b", "team:from/b<default"},
		{ann, "?shared=true", team},
		{ann, "?namespace=team&shared=true", team},
		{ann, "?namespace=other&shared=true", ""},
		{ann, "", "team:own<"},
	} {
		if got := secretList(t, s, c.who, c.query); got != c.want {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
	}
	first := s.TryAdmin(t, "GET", "/admin/secrets?namespace=team&shared=true&limit=2", nil)
	cursor := first.Header.Get(api.NextCursor)
	if got := secretList(t, s, ann, "?namespace=team&shared=true&limit=2&cursor="+cursor); cursor == "" || got != "team:from/c<default" {
		t.Errorf("the second page: %q", got)
	}
	wantError(t, s.TryAdmin(t, "GET", "/admin/secrets?deleted=true&shared=true", nil), http.StatusBadRequest, api.InvalidRequest)
	s.Admin(t, "DELETE", "/admin/secrets/"+ids["b"], nil, nil)
	if got := secretList(t, s, ann, "?shared=true"); got != "team:from/a<default team:from/c<default" {
		t.Errorf("after b was deleted: %q", got)
	}
}

// secretList returns what a list of secrets says of where they are and whose.
func secretList(t *testing.T, s *servertest.Server, token, query string) string {
	t.Helper()
	a := as(t, s, token, "GET", "/admin/secrets"+query, nil)
	var rows []api.Secret
	if a.JSON(t, &rows); a.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", query, a.Status, a.Body)
	}
	var said []string
	for _, r := range rows {
		said = append(said, r.Namespace+":"+r.KeyPath+"<"+r.OwnerNamespace)
	}
	return strings.Join(said, " ")
}
