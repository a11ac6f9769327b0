package server

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// rotateWait is how long an answer waits for a rotation to finish. It goes on
// afterwards.
const rotateWait = 20 * time.Second

func (s *Server) changeKEKPassword(ctx context.Context, c call[api.ChangeKEKPassword]) (api.ChangedPassword, error) {
	current, next := trimmedValue(c.In.CurrentPassword), trimmedValue(c.In.NewPassword)
	defer current.Wipe()
	defer next.Wipe()
	err := s.vault.ChangePassword(ctx, c.By, current, next)
	return api.ChangedPassword{Changed: true}, err
}

// trimmedValue returns a password without white space around it, as it is read at
// the start: what the one leaves the other must, or the vault would not open.
func trimmedValue(v api.Value) opaque.Bytes { return opaque.New(bytes.TrimSpace(v.Reveal())) }

func (s *Server) rotateKey(ctx context.Context, c call[api.RotateKey]) (api.RotatedKey, error) {
	next, current := trimmedValue(c.In.NewKEKPassword), trimmedValue(c.In.CurrentPassword)
	defer next.Wipe()
	defer current.Wipe()
	r, err := s.vault.RotateKEK(ctx, c.By, next, current)
	if err != nil {
		return api.RotatedKey{}, err
	}
	// It is done, whatever comes next: the rest goes on by itself.
	wait, cancel := context.WithTimeout(ctx, rotateWait)
	defer cancel()
	if err := s.vault.FinishRotation(wait); err != nil && wait.Err() == nil {
		s.log.Error("the rotation goes on later", "err", err)
	}
	if now, err := s.vault.Rotation(ctx, c.By); err == nil {
		r = now
	}
	out := api.RotatedKey{
		Rotated: true, SecretsRewrapped: r.Wrapped, NewKEKVersion: r.To, Finished: r.Finished != nil && !r.Compacting,
		Unopened: r.Unopened,
		Message:  "The new password opens the vault from now on, and no restart is needed. The old password and all recovery shares are void. Backups from before still open with them.",
	}
	if !out.Finished {
		out.Message += " What is under the old key is being wrapped anew; see GET /admin/rotate-key."
	}
	return out, nil
}

func (s *Server) rotation(ctx context.Context, q *request) (api.Rotation, error) {
	r, err := s.vault.Rotation(ctx, q.By)
	return api.Rotation{
		FromVersion: r.From, ToVersion: r.To, By: r.By, StartedAt: api.NewTime(r.Started), Rewrapped: r.Wrapped,
		FinishedAt: wireTime(r.Finished), Compacting: r.Compacting,
		Unopened: r.Unopened, Problem: r.Problem,
	}, err
}

func (s *Server) splitKey(ctx context.Context, c call[api.SplitKey]) (disclosure, error) {
	current := trimmedValue(c.In.CurrentPassword)
	defer current.Wipe()
	shares, err := s.vault.SplitKey(ctx, c.By, c.In.Threshold, c.In.Shares, current)
	if err != nil {
		return disclosure{}, err
	}
	out := api.SharesMade{
		Threshold: c.In.Threshold, SharesCount: len(shares),
		Warning: "These shares are shown this once. Shares from before are void; these will be when the key is split or rotated again.",
	}
	for _, s := range shares {
		out.Shares = append(out.Shares, api.NewValue(s.Reveal()))
	}
	return disclose(out, out.Shares...), nil
}

func (s *Server) rotateSigningKey(ctx context.Context, q *request) (api.RotatedSigningKey, error) {
	k, err := s.vault.RotateSigningKey(ctx, q.By)
	return api.RotatedSigningKey{Rotated: true, KID: k.KID}, err
}

func (s *Server) sealStatus(ctx context.Context, _ *request) (api.SealStatus, error) {
	found, err := s.vault.Initialized(ctx)
	return api.SealStatus{Sealed: s.vault.Sealed(), Initialized: found, Recovered: s.vault.Recovered()}, err
}

func (s *Server) seal(ctx context.Context, q *request) (api.SealStatus, error) {
	if err := s.vault.Seal(ctx, q.By); err != nil {
		return api.SealStatus{}, err
	}
	s.log.Warn("SEALED", "by", q.By.Name)
	return s.sealStatus(ctx, q)
}

// errOpenUnseal: what opens the vault would travel in clear.
var errOpenUnseal = errors.New("unsealing takes TLS, or a client on this machine")

// unseal opens the vault with a password, or with shares that come one by one.
func (s *Server) unseal(ctx context.Context, c call[api.UnsealRequest]) (api.SealStatus, error) {
	defer c.In.Password.Wipe()
	defer c.In.Share.Wipe()
	if c.TLS == nil && !c.client.Loopback() {
		return api.SealStatus{}, errOpenUnseal
	}
	if err := s.limits.unseal.Check(c.client.Source); err != nil {
		return api.SealStatus{}, err
	}
	if s.vault.Sealed() && !c.In.Password.IsZero() {
		done, err := s.guard.Turn(ctx, c.client)
		if err != nil {
			return api.SealStatus{}, err
		}
		defer done()
	}
	if !s.vault.Sealed() {
		return s.sealStatus(ctx, c.request) // by somebody else: there is nothing to be done
	}
	status, err := s.tryToOpen(ctx, c)
	switch {
	case err != nil:
		return status, s.countUnseal(c.request, err)
	case status.Sealed:
		return status, nil
	}
	if err := s.unsealed(ctx, c.request); err != nil {
		return status, err
	}
	return s.sealStatus(ctx, c.request)
}

// tryToOpen gives the vault what a request has for it.
func (s *Server) tryToOpen(ctx context.Context, c call[api.UnsealRequest]) (api.SealStatus, error) {
	switch {
	case c.In.Password.IsZero() == c.In.Share.IsZero():
		return api.SealStatus{}, &vault.InvalidError{Field: "the body", Reason: "must have password or share"}
	case c.In.Share.IsZero():
		return api.SealStatus{}, s.vault.Unseal(ctx, trimmedValue(c.In.Password))
	}
	return s.attempts.offer(ctx, s.vault, c.In.Attempt, opaque.New(c.In.Share.Reveal()))
}

// countUnseal counts a try that failed.
func (s *Server) countUnseal(q *request, err error) error {
	_, share := errors.AsType[*vault.ShareError](err)
	if !share && !errors.Is(err, vault.ErrWrongPassword) && !errors.Is(err, vault.ErrWrongShares) {
		return err
	}
	s.log.Warn("unsealing failed", "source", q.client.Origin.Source, "err", err)
	if over := s.limits.unseal.Take(q.client.Source); over != nil {
		return over
	}
	return err
}

// unsealed does what is to be done once the keys are there.
func (s *Server) unsealed(ctx context.Context, q *request) error {
	if err := s.vault.RecordUnseal(ctx, q.client.Origin); err != nil {
		return err
	}
	s.log.Warn("UNSEALED", "source", q.client.Origin.Source)
	if s.onUnseal == nil {
		return nil
	}
	return s.onUnseal(ctx)
}
