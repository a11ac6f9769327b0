package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// attest opens a session. The login is read each time, so that a new one is
// found and the access token stays in memory no longer than needed.
func (s *sessions) attest(ctx context.Context) (session, error) {
	login, token, err := identity.OpenSession(s.dir, s.key)
	if err != nil {
		return session{}, explainLogin(err, s.lastLogin())
	}
	defer token.Wipe()
	s.mu.Lock()
	s.login = login
	s.mu.Unlock()
	if err := s.may(login); err != nil {
		return session{}, err
	}
	began := time.Now().Round(0)
	if err := s.fits(login, began); err != nil {
		return session{}, err
	}
	if login.Pin != nil {
		s.client.Know(*login.Pin)
	}
	answer, err := s.open(ctx, login, token)
	s.attested(began, login, err)
	if err != nil {
		return session{}, err
	}
	if answer.SessionID == "" || answer.ExpiresIn <= 0 {
		return session{}, fmt.Errorf("%w: a session without an id or without a time", client.ErrAnswer)
	}
	return lasting(answer, began, login), nil
}

// fits returns a refusal for a login that is not this daemon's, or over.
func (s *sessions) fits(login identity.Session, now time.Time) error {
	switch {
	case !client.SameServer(login.ServerURL, s.client.URL()):
		return refuse("restart the daemon: cortex daemon", "the login is for %s now, and this daemon for %s", login.ServerURL, s.client.URL())
	case login.Pin == nil && s.client.Pin() != nil:
		return refuse("restart the daemon: cortex daemon", "the login knows the server by its certificate now, and this daemon by its key")
	case login.Over(now):
		return refuse(login.LoginCommand(), "the login expired %s", login.ExpiresAt().UTC().Format(time.RFC3339))
	}
	return nil
}

// open asks the server for a session: with the access token of the login, or if
// that was proved with one that the agent's key gets now.
func (s *sessions) open(ctx context.Context, login identity.Session, token opaque.Bytes) (answer api.AttestResponse, err error) {
	if login.Proved {
		if token, err = s.client.AccessToken(ctx, s.key); err != nil {
			return answer, explainAccess(err, login)
		}
		defer token.Wipe()
	}
	request, err := s.key.ProveDaemon(s.request)
	if err != nil {
		return answer, err
	}
	if answer, err = s.client.Attest(ctx, token, request); err != nil {
		err = explainAttest(err, login, s.request.BinarySHA256)
	}
	return answer, err
}

// lasting returns the session with the time it lasts: no longer than the
// login.
func lasting(answer api.AttestResponse, began time.Time, login identity.Session) session {
	seconds := min(answer.ExpiresIn, int64(maxSession/time.Second))
	now := session{id: answer.SessionID, began: began, expires: began.Add(time.Duration(seconds) * time.Second)}
	if end := login.ExpiresAt().Round(0); login.ExpiresIn > 0 && !end.After(now.expires) {
		now.expires, now.last = end, true
	}
	return now
}

// explainLogin says what to do about a login that cannot be read.
func explainLogin(err error, last identity.Session) error {
	if errors.Is(err, fs.ErrNotExist) {
		return refuse(last.LoginCommand(), "this host is not logged in")
	}
	return refuse(last.LoginCommand(), "reading the login: %w", err)
}

// explainAttest says why the server opened no session, and what to do.
func explainAttest(err error, login identity.Session, hash string) error {
	e, ok := errors.AsType[*api.Error](err)
	if !ok {
		return err
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		return refuse(afterAdministrator(login), "the server does not accept this host's login, or not now: %w", err)
	case errors.Is(err, api.BinaryNotAllowed), errors.Is(err, api.BinaryDisabled):
		return refuse("an administrator must allow this program, SHA-256 "+hash, "the server does not accept this daemon: %w", err)
	case e.Status == http.StatusForbidden, e.Status == http.StatusBadRequest:
		return refuse("", "the server does not accept this daemon: %w", err)
	}
	return fmt.Errorf("opening a session with %s: %w", login.ServerURL, err)
}

// explainAccess says why the server gave no access token, and what to do. It does
// not say whether the agent is frozen: whoever has stolen the key would know that
// it was noticed.
func explainAccess(err error, login identity.Session) error {
	if e, ok := errors.AsType[*api.Error](err); ok && (e.Status == http.StatusBadRequest || e.Status == http.StatusUnauthorized) {
		return refuse(afterAdministrator(login), "the server does not accept this host's login, or not now: %w", err)
	}
	return fmt.Errorf("opening a session with %s: %w", login.ServerURL, err)
}

// afterAdministrator says what to do where an administrator may have cut the agent
// off, which a new login would not change.
func afterAdministrator(login identity.Session) string {
	return fmt.Sprintf("ask an administrator whether agent %s is frozen or was removed (cortex freeze list), see whether this host's clock is right (cortex doctor), and only then log in again: %s",
		login.AgentID, login.LoginCommand())
}
