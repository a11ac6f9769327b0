package server

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/strict"
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
)

// problems is what each error is called on the wire. The caller hears the
// sentinel's own words and nothing of what is wrapped around it: that names
// rows and files, and goes to the log.
var problems = []struct {
	err    error
	status int
	code   api.Code
}{
	{auth.ErrNoAdminToken, http.StatusUnauthorized, api.Unauthorized},
	{auth.ErrNoBearer, http.StatusUnauthorized, api.Unauthorized},
	{auth.ErrAttestation, http.StatusUnauthorized, api.Unauthorized},
	{vault.ErrTokenExpired, http.StatusUnauthorized, api.TokenExpired},
	{vault.ErrTokenRevoked, http.StatusUnauthorized, api.TokenRevoked},
	{vault.ErrAuthorizationPending, http.StatusUnauthorized, api.AuthorizationPending},
	{vault.ErrReplay, http.StatusUnauthorized, api.Unauthorized},
	{vault.ErrClockSkew, http.StatusUnauthorized, api.Unauthorized},
	{vault.ErrUnauthorized, http.StatusUnauthorized, api.Unauthorized},
	{vault.ErrDeviceDenied, http.StatusUnauthorized, api.Unauthorized},
	{vault.ErrDeviceExpired, http.StatusUnauthorized, api.Unauthorized},
	{vault.ErrProofRequired, http.StatusForbidden, api.ProofRequired},
	{vault.ErrWrongPassword, http.StatusForbidden, api.Forbidden},
	{vault.ErrWrongShares, http.StatusForbidden, api.Forbidden},
	{vault.ErrUnconfirmed, http.StatusForbidden, api.Forbidden},
	{vault.ErrForeignPassword, http.StatusForbidden, api.Forbidden},
	{errOpenUnseal, http.StatusForbidden, api.Forbidden},
	{vault.ErrRotating, http.StatusConflict, api.Conflict},
	{vault.ErrGrantDenied, http.StatusForbidden, api.GrantDenied},
	{vault.ErrFrozen, http.StatusForbidden, api.ProjectFrozen},
	{vault.ErrProjectMismatch, http.StatusForbidden, api.ProjectAgentMismatch},
	{vault.ErrBinaryNotAllowed, http.StatusForbidden, api.BinaryNotAllowed},
	{vault.ErrBinaryDisabled, http.StatusForbidden, api.BinaryDisabled},
	{vault.ErrExposure, http.StatusForbidden, api.ExposureDenied},
	{vault.ErrDenied, http.StatusForbidden, api.Forbidden},
	{errCrossOrigin, http.StatusForbidden, api.Forbidden},
	{vault.ErrNotFound, http.StatusNotFound, api.NotFound},
	{errNoRoute, http.StatusNotFound, api.NotFound},
	{errMethod, http.StatusMethodNotAllowed, api.MethodNotAllowed},
	{vault.ErrAmbiguous, http.StatusConflict, api.Conflict},
	{vault.ErrExists, http.StatusConflict, api.Conflict},
	{vault.ErrInUse, http.StatusConflict, api.Conflict},
	{vault.ErrDecided, http.StatusConflict, api.Conflict},
	{vault.ErrTokenActive, http.StatusConflict, api.Conflict},
	{vault.ErrJournal, http.StatusUnprocessableEntity, api.JournalRejected},
	{errMediaType, http.StatusUnsupportedMediaType, api.UnsupportedMediaType},
	{errCrowded, http.StatusTooManyRequests, api.RateLimited},
	{errBody, http.StatusBadRequest, api.InvalidRequest},
	{errPath, http.StatusBadRequest, api.InvalidRequest},
	{vault.ErrTooMany, http.StatusTooManyRequests, api.RateLimited},
	{vault.ErrSealed, http.StatusServiceUnavailable, api.Sealed},
	{store.ErrFull, http.StatusInsufficientStorage, api.StorageFull},
}

// problem returns what the caller hears of err.
func problem(err error) *api.Error {
	if p := typedProblem(err); p != nil {
		return p
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return &api.Error{Status: p.status, Code: p.code, Message: p.err.Error()}
		}
	}
	return &api.Error{Status: http.StatusInternalServerError, Code: api.Internal, Message: "internal error"}
}

// typedProblem handles the errors that say something of their own, all of it
// written for the caller.
func typedProblem(err error) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*vault.PendingError](err); ok {
		return &api.Error{
			Status: http.StatusForbidden, Code: api.PendingApproval, Message: e.Error(),
			Details: &api.Details{
				GrantID: e.GrantID, RequestedKeys: e.RequestedKeys, AgentID: e.AgentID, ProjectName: e.Project,
			},
		}
	}
	if e, ok := errors.AsType[*vault.CommandError](err); ok {
		return &api.Error{
			Status: http.StatusForbidden, Code: api.CommandNotPinned, Message: e.Error(), Details: &api.Details{PinID: e.PinID, Why: e.Why},
		}
	}
	if e, ok := errors.AsType[*limit.Exceeded](err); ok {
		return &api.Error{Status: http.StatusTooManyRequests, Code: api.RateLimited, Message: "too many requests", RetryAfter: e.After}
	}
	if e, ok := errors.AsType[*vault.InvalidError](err); ok {
		return &api.Error{Status: http.StatusBadRequest, Code: api.InvalidRequest, Message: e.Error()}
	}
	if e, ok := errors.AsType[*vault.ConfirmationError](err); ok {
		return &api.Error{Status: http.StatusForbidden, Code: api.ConfirmationRequired, Message: e.Error(), ConfirmationID: e.ID}
	}
	if e, ok := errors.AsType[*vault.ShareError](err); ok {
		return &api.Error{Status: http.StatusBadRequest, Code: api.InvalidRequest, Message: e.Error()}
	}
	if e, ok := errors.AsType[*vault.TemplateError](err); ok {
		return &api.Error{Status: http.StatusUnprocessableEntity, Code: api.TemplateError, Message: e.Error()}
	}
	if e, ok := errors.AsType[*vault.VersionError](err); ok {
		return &api.Error{Status: http.StatusConflict, Code: api.Conflict, Message: e.Error()}
	}
	if e, ok := errors.AsType[*strict.Error](err); ok {
		return &api.Error{Status: http.StatusBadRequest, Code: api.InvalidRequest, Message: e.Error()}
	}
	return bodyProblem(err)
}

// bodyProblem handles what can go wrong while a body is read.
func bodyProblem(err error) *api.Error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &api.Error{Status: http.StatusRequestEntityTooLarge, Code: api.TooLarge, Message: "the body is longer than " + strconv.FormatInt(e.Limit, 10) + " bytes"}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &api.Error{Status: http.StatusRequestTimeout, Code: api.InvalidRequest, Message: "the body took too long"}
	}
	if errors.Is(err, context.Canceled) {
		// The client went away; this is for the log.
		return &api.Error{Status: statusClientGone, Code: api.InvalidRequest, Message: "the client went away"}
	}
	return nil
}

// statusClientGone is what logs call an answer that nobody waited for.
const statusClientGone = 499

// retryLater is the Retry-After of a limit that does not say when it ends.
const retryLater = 30 * time.Second

// writeProblem sends an error.
func writeProblem(w http.ResponseWriter, p *api.Error) {
	if p.Status == http.StatusTooManyRequests {
		wait := p.RetryAfter
		if wait <= 0 {
			wait = retryLater
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	// An error is plain text and always encodes.
	_ = write(w, p.Status, p)
}
