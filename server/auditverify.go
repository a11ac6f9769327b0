package server

import (
	"context"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/audit/note"
)

// verifyTime is how long a verification of the audit trail may take.
const verifyTime = 15 * time.Minute

// verifyAudit answers 200 for a broken trail too: it was verified.
func (s *Server) verifyAudit(ctx context.Context, c call[api.VerifyAudit]) (api.AuditReport, error) {
	since, err := sinceHead(c.In.SinceHead)
	if err != nil {
		return api.AuditReport{}, err
	}
	c.stay(verifyTime)
	report, err := s.vault.VerifyAuditFor(ctx, c.By, since)
	if err != nil {
		return api.AuditReport{}, err
	}
	if report.Broken != nil {
		s.log.Error("the audit trail is BROKEN", "record", report.Broken.Seq, "why", report.Broken.Why)
	}
	return wireReport(report), nil
}

func sinceHead(text string) (*vault.Since, error) {
	if text == "" {
		return nil, nil
	}
	n, err := note.Parse([]byte(text))
	if err != nil {
		return nil, &vault.InvalidError{Field: "since_head", Reason: "is no signed head: " + err.Error()}
	}
	return &vault.Since{Note: n}, nil
}

func wireReport(r audit.Report) api.AuditReport {
	w := api.AuditReport{Intact: r.Broken == nil, Keyed: r.Keyed, Rows: r.Rows, First: r.First, Last: r.Last}
	if r.Broken != nil {
		w.Broken = &api.AuditBreak{Seq: r.Broken.Seq, Why: r.Broken.Why}
	}
	return w
}
