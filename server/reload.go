package server

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/server/limit"
)

// liveSettings is what the settings that can change at run time come to.
type liveSettings struct {
	Live
	level     slog.Level
	retention time.Duration // of the audit trail
}

// live checks the settings that can change while the server runs.
func (s settings) live() (l liveSettings, err error) {
	var errs [5]error
	l.Limits, errs[0] = limit.ParseRates(s.rateLimits)
	l.Unlimited = errs[0] == nil && l.Limits.Off()
	l.Proxies, errs[1] = auth.ParseProxies(s.trustedProxies)
	l.Origins = items(s.dashboardOrigins)
	_, errs[2] = newCrossOrigin(l.Origins)
	l.level, errs[3] = parseLevel(s.logLevel)
	l.retention, errs[4] = s.auditRetention()
	return l, errors.Join(errs[:]...)
}

// errLimitsOff: what is recorded at a start cannot come about without one.
var errLimitsOff = errors.New("CORTEX_RATE_LIMITS=off is for the start: it is checked, logged and recorded then")

// reload reads certificate and configuration again at every SIGHUP, until ctx
// ends. The service manager is told when it begins and when it is done.
func (p program) reload(ctx context.Context, hup <-chan os.Signal, srv *Server, running settings, plan plan) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		p.notifyReloading()
		p.reloadCertificate(ctx, plan.cert)
		running = p.reloadSettings(ctx, srv, running)
		p.notify("READY=1")
	}
}

func (p program) reloadCertificate(ctx context.Context, cert *certificate) {
	if cert == nil {
		p.log.Info("SIGHUP: there is no certificate to read again")
		return
	}
	if err := cert.reload(ctx); err != nil {
		p.log.Error("the old certificate stays", "err", err)
		return
	}
	p.log.Info("read the certificate again", "fingerprint", cert.key(), "expires", cert.expires())
}

// reloadSettings reads the configuration file again, and has the server go by
// what can change. It returns the settings that are in force then.
func (p program) reloadSettings(ctx context.Context, srv *Server, running settings) settings {
	if running.configFile == "" {
		return running
	}
	now, live, err := running.again(ctx)
	if err == nil {
		err = srv.Change(live.Live)
	}
	if err != nil {
		p.log.Error("the old settings stay", "err", err)
		return running
	}
	p.level.Set(live.level)
	srv.vault.KeepAudit(live.retention)
	for _, name := range now.differences(running) {
		p.log.Warn("a setting changes only with a restart", "setting", name)
	}
	p.log.Info("read the settings again", "file", running.configFile)
	// What did not change is still what it was, also for the next time.
	for i, f := range running.table() {
		if f.live {
			f.set(now.table()[i].value())
		}
	}
	return running
}

// again returns the settings as they would be at a start now.
func (s settings) again(ctx context.Context) (now settings, live liveSettings, err error) {
	now = *s.given
	if now, err = now.configured(ctx); err != nil {
		return now, live, err
	}
	if live, err = now.live(); err != nil {
		return now, live, err
	}
	if was, err := s.live(); err == nil && live.Unlimited && !was.Unlimited {
		return now, live, errLimitsOff
	}
	return now, live, nil
}
