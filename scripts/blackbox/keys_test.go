package blackbox

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A vault that somebody else could start would be none.
func TestWrongPasswordOpensNothing(t *testing.T) {
	own(t, func(s *server) {
		secret := s.keep("k", "canary-of-the-file")
		s.now.stop(s.t)
		s.refuses("password", "CORTEX_KEK_PASSWORD=another")
		s.start()
		has(s.t, s.admin("GET", "/admin/secrets/"+secret, nil).want(http.StatusOK).object(), object{"value": "canary-of-the-file"})
	})
}

func TestFileHasNoValues(t *testing.T) {
	own(t, func(s *server) {
		value := string(bytes.Repeat([]byte("canary/"), 1000))
		s.keep("one", value)
		s.keep("two", value)
		s.now.stop(s.t)
		file, err := os.ReadFile(filepath.Join(s.dir, "vault.db"))
		if err != nil || len(file) < 2*len(value) {
			s.t.Fatalf("%d bytes, %v", len(file), err)
		}
		if bytes.Contains(file, []byte("canary/canary/")) {
			s.t.Error("a value is there in clear")
		}
	})
}

func TestKeyIsRotated(t *testing.T) {
	own(t, func(s *server) {
		st := s.staged()
		token := st.obtain(st.app, st.env())["project_token"]
		got := s.admin("POST", "/admin/rotate-key", object{"new_kek_password": " the next password\n"}).want(http.StatusOK).object()
		if has(s.t, got, object{"rotated": true}); got["secrets_rewrapped"].(float64) < 2 || got["new_kek_version"].(float64) < 2 || !strings.Contains(got["message"].(string), "shares") {
			s.t.Errorf("%v", got)
		}
		whole := func() {
			has(s.t, st.values(st.app, token), object{variable(st.key): "sk-1", variable(st.db): "hunter22"})
		}
		whole()
		after := s.keep("made_afterwards", "new")
		s.now.stop(s.t)
		s.refuses("password")
		s.start("CORTEX_KEK_PASSWORD=the next password")
		whole()
		has(s.t, s.admin("GET", "/admin/secrets/"+after, nil).want(http.StatusOK).object(), object{"value": "new"})
		s.admin("POST", "/admin/rotate-key", object{"new_kek_password": " "}).wantError(http.StatusBadRequest)
	})
}

func TestSharesOpenTheVault(t *testing.T) {
	own(t, func(s *server) {
		secret := s.keep("k", "kept")
		for _, bad := range []object{{"threshold": 1, "shares": 5}, {"threshold": 6, "shares": 5}, {"threshold": 2, "shares": 201}} {
			s.admin("POST", "/admin/shamir/generate", bad).wantError(http.StatusBadRequest)
		}
		got := s.admin("POST", "/admin/shamir/generate", object{"threshold": 3, "shares": 5}).want(http.StatusOK).object()
		has(s.t, got, object{"threshold": 3, "shares_count": 5})
		shares := got["shares"].([]any)
		if len(shares) != 5 || got["warning"] == "" {
			s.t.Fatalf("%d shares", len(shares))
		}
		s.now.stop(s.t)
		corrupted := []byte(shares[1].(string))
		corrupted[40] ^= 1
		s.refuses("share", s.recovery(shares[0], string(corrupted), shares[2])...)
		s.refuses("share", s.recovery(shares[0], shares[1])...)
		s.start(s.recovery(shares[4], shares[0], shares[2])...)
		has(s.t, s.admin("GET", "/admin/secrets/"+secret, nil).want(http.StatusOK).object(), object{"value": "kept"})
	})
}

// recovery returns what makes a server take these shares in the place of the
// password.
func (s *server) recovery(shares ...any) []string {
	s.t.Helper()
	dir := s.t.TempDir()
	for i, share := range shares {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))), []byte(share.(string)+"\n"), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return []string{"CORTEX_KEK_PASSWORD=", "CORTEX_RECOVERY_MODE=1", "CORTEX_RECOVERY_SHARES_DIR=" + dir}
}
