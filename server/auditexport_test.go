package server_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// exported returns the entries of an export, which must be whole.
func exported(t *testing.T, text []byte) (rows []audit.Entry) {
	t.Helper()
	x, err := audit.NewExportReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	chain := audit.NewVerifier(nil)
	for r, err := range x.Records() {
		if err != nil || !chain.Add(r) {
			t.Fatalf("%v, %v", err, chain.Finish(nil).Broken)
		}
		e, err := r.Entry()
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, e)
	}
	return rows
}

func TestAuditExport(t *testing.T) {
	s := busy(t)
	answer := s.TryAdmin(t, "GET", "/admin/audit/export", nil)
	if answer.Status != http.StatusOK || answer.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	rows := exported(t, answer.Body)
	if last := rows[len(rows)-1]; rows[0].Seq != 1 || rows[0].Action != "vault_initialize" || last.Action != "audit_export" || last.Seq != uint64(len(rows)) {
		t.Errorf("%d rows from %+v to %+v", len(rows), rows[0], last)
	}
	list, _ := get(t, s, "/admin/audit-logs", "limit=1")
	if newest := list[0].(map[string]any); newest["action"] != "audit_export" || newest["seq"] != float64(len(rows)) {
		t.Errorf("%v", newest)
	}
	// A part of it, which the record says.
	since, until := rows[10].Time, rows[20].Time
	query := "?since=" + url.QueryEscape(since.Format(time.RFC3339Nano)) + "&until=" + url.QueryEscape(until.Format(time.RFC3339Nano))
	part := exported(t, s.TryAdmin(t, "GET", "/admin/audit/export"+query, nil).Body)
	if len(part) == 0 || part[0].Time.Before(since) || !part[len(part)-1].Time.Before(until) {
		t.Errorf("%d rows", len(part))
	}
	if rows := auditRows(t, s, "audit_export"); rows[0]["resource_path"] != "since="+since.Format(time.RFC3339)+" until="+until.Format(time.RFC3339) {
		t.Errorf("recorded as %v", rows[0]["resource_path"])
	}
}

func TestAuditExportRefused(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	for query, name := range map[string]string{"since=x": "since", "until=2026": "until", "limit=1": "limit", "since=2026-01-01T00:00:00Z&since=2026-01-01T00:00:00Z": "since"} {
		a := s.TryAdmin(t, "GET", "/admin/audit/export?"+query, nil)
		if wantError(t, a, http.StatusBadRequest, api.InvalidRequest); !strings.Contains(string(a.Body), name) {
			t.Errorf("%s: %s", query, a.Body)
		}
	}
	if a := s.TryAdmin(t, "HEAD", "/admin/audit/export", nil); a.Status != http.StatusNotFound {
		t.Errorf("HEAD: %d", a.Status)
	}
	if n := len(auditRows(t, s, "audit_export")); n != 0 {
		t.Errorf("%d rows say that it was exported", n)
	}
	for role, want := range map[string]int{"super": 200, "admin": 200, "auditor": 200, "approver": 403} {
		if a := as(t, s, logIn(t, s, "a-"+role, role), "GET", "/admin/audit/export", nil); a.Status != want {
			t.Errorf("%s: %d %s", role, a.Status, a.Body)
		}
	}
	wantError(t, as(t, s, logIn(t, s, "carla", "auditor", "team"), "GET", "/admin/audit/export", nil), http.StatusForbidden, api.Forbidden)
	if rows := auditRows(t, s, "audit_export"); rows[0]["status"] != "denied" {
		t.Errorf("%v", rows[0])
	}
}

// While an export is read there is no other.
func TestAuditExportOneAtATime(t *testing.T) {
	s := servertest.New(t)
	first, err := s.Vault.ExportAudit(t.Context(), access.Caller{Kind: access.Admin, Name: "admin", Role: access.Super}, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	second := s.TryAdmin(t, "GET", "/admin/audit/export", nil)
	wantError(t, second, http.StatusTooManyRequests, api.RateLimited)
	if second.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	first.Close()
	for range 2 { // each gives way to the next
		exported(t, s.TryAdmin(t, "GET", "/admin/audit/export", nil).Body)
	}
}

func TestClientExport(t *testing.T) {
	s := busy(t)
	c, err := client.New(client.Config{URL: s.URL, AdminToken: opaque.New([]byte(s.AdminToken)), HTTP: s.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	end, err := c.ExportAudit(t.Context(), time.Time{}, time.Time{}, &out)
	if err != nil || end.Rows == 0 || end.Rows != end.End.Seq || len(exported(t, out.Bytes())) != int(end.Rows) {
		t.Errorf("%+v, %v", end, err)
	}
	n := 0
	for r, err := range c.AllAuditLogs(t.Context(), client.AuditFilter{Action: "audit_export"}) {
		if n++; err != nil || r.Action != "audit_export" {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if n != 1 {
		t.Errorf("%d rows", n)
	}
	if err := s.Vault.Seal(t.Context(), access.Caller{Kind: access.Admin, Name: "admin", Role: access.Super}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExportAudit(t.Context(), time.Time{}, time.Time{}, &out); err == nil {
		t.Error("exported from a sealed vault")
	}
}
