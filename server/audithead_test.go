package server_test

import (
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/audit/note"
)

// readers are accounts, and whether they may see the audit trail whole.
func readers(t *testing.T, s *servertest.Server) map[string]bool {
	t.Helper()
	return map[string]bool{
		logIn(t, s, "auditor", "auditor"):                       true,
		logIn(t, s, "manager", "admin"):                         true,
		logIn(t, s, "approver", "approver"):                     false,
		logIn(t, s, "confined", "auditor", "default"):           false,
		logIn(t, s, "confined-manager", "admin", "default"):     false,
		logIn(t, s, "confined-approver", "approver", "default"): false,
	}
}

func TestAuditHead(t *testing.T) {
	t.Parallel()
	s := servertest.With(t, servertest.Config{Unlimited: true})
	var head api.AuditHead
	s.Admin(t, "GET", "/admin/audit/head", nil, &head)
	key, err := note.ParseKey(head.VerifierKey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Parse([]byte(head.Note))
	if err != nil || n.Verify(key) != nil || n.VaultID != s.Vault.ID() {
		t.Errorf("%s: %v", head.Note, err)
	}
	var rows []api.AuditRow
	if s.Admin(t, "GET", "/admin/audit-logs?limit=1", nil, &rows); rows[0].Seq != n.Seq {
		t.Errorf("the head is %d, the trail ends at %d", n.Seq, rows[0].Seq)
	}
	for token, ok := range readers(t, s) {
		answer := as(t, s, token, "GET", "/admin/audit/head", nil)
		if ok {
			var got api.AuditHead
			if answer.JSON(t, &got); answer.Status != http.StatusOK || got.VerifierKey != head.VerifierKey {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
			continue
		}
		wantError(t, answer, http.StatusForbidden, api.Forbidden)
	}
	wantError(t, s.Do(t, servertest.Request{Method: "GET", Path: "/admin/audit/head"}), http.StatusUnauthorized, api.Unauthorized)
}
