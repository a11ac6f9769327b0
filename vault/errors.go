package vault

import (
	"errors"
	"fmt"
)

// What an operation can refuse with. Callers branch on these with errors.Is;
// their texts are written for whoever sent the request, and name no row, no
// file and no other party. [store.ErrFull] is passed through as it is.
var (
	// ErrSealed: the vault has no key in memory.
	ErrSealed = errors.New("the vault is sealed")
	// ErrWrongPassword: no key slot opens with that password.
	ErrWrongPassword = errors.New("wrong operator password")
	// ErrWrongShares: the shares are whole, and do not open the vault.
	ErrWrongShares = errors.New("these shares do not open the vault")
	// ErrRotating: the key-encryption key is being rotated, or just was.
	ErrRotating = errors.New("the key is being rotated; wait for that to finish")
	// ErrUnconfirmed: the vault was put back from a backup without the second
	// person that it takes.
	ErrUnconfirmed = errors.New("this vault was restored by one person, and it takes two: restore the backup again, with --confirm-as")
	// ErrForeignPassword: the account cannot stand for a person yet.
	ErrForeignPassword = errors.New("somebody else chose this account's password, so it is no second person yet: change it first, with cortex user password")
	// ErrInitialized: the vault has a key slot already.
	ErrInitialized = errors.New("the vault is initialised already")
	// ErrNotInitialized: the vault has no key slot yet.
	ErrNotInitialized = errors.New("the vault has no keys yet")
	// ErrUnauthorized: a credential is missing, wrong, or no longer good.
	ErrUnauthorized = errors.New("authentication failed")
	// ErrReplay: this signed message was used before.
	ErrReplay = errors.New("replay: this nonce was used before")
	// ErrClockSkew: a signed time is too far from the vault's clock.
	ErrClockSkew = errors.New("timestamp outside the accepted window; check the clock of the agent's host")
	// ErrTokenExpired: the project token ran out.
	ErrTokenExpired = errors.New("project token expired")
	// ErrTokenRevoked: the project token was revoked.
	ErrTokenRevoked = errors.New("project token revoked")
	// ErrAuthorizationPending: nobody has approved the device yet.
	ErrAuthorizationPending = errors.New("authorization pending")
	// ErrDeviceDenied: somebody said no to the device.
	ErrDeviceDenied = errors.New("the log-in was denied by an administrator")
	// ErrDeviceExpired: nobody approved the device in time.
	ErrDeviceExpired = errors.New("the log-in was not approved in time; begin another one")
	// ErrProofRequired: this agent, or this vault, asks for a proof of the
	// agent's key.
	ErrProofRequired = errors.New("a proof of the agent's key is required: use a cortex daemon that sends one, and log in again")
	// ErrGrantDenied: an administrator denied this agent these names.
	ErrGrantDenied = errors.New("access to this project was denied by an administrator")
	// ErrFrozen: an administrator froze the project.
	ErrFrozen = errors.New("the project was frozen by an administrator")
	// ErrProjectMismatch: the project belongs to another agent.
	ErrProjectMismatch = errors.New("the project belongs to another agent")
	// ErrBinaryNotAllowed: the daemon's hash is not on the allowlist.
	ErrBinaryNotAllowed = errors.New("daemon binary is not on the allowlist")
	// ErrExposure: the project keeps its templates in memory.
	ErrExposure = errors.New("the project's templates are for files in memory only: template_files is deny")
	// ErrBinaryDisabled: the daemon's hash is on the allowlist, disabled.
	ErrBinaryDisabled = errors.New("daemon binary is disabled on the allowlist")
	// ErrDenied: the caller's kind may not do this.
	ErrDenied = errors.New("not allowed")
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: the name is taken.
	ErrExists = errors.New("already exists")
	// ErrAmbiguous: the name stands in several namespaces.
	ErrAmbiguous = errors.New("the name exists in several namespaces; add ?namespace=")
	// ErrInUse: something still refers to the row.
	ErrInUse = errors.New("still in use")
	// ErrDecided: the pending grant was decided already.
	ErrDecided = errors.New("already decided")
	// ErrTokenActive: the project has a live token and none was asked for anew.
	ErrTokenActive = errors.New("the project has an active token; send regenerate_token to replace it")
	// ErrJournal: a journal is not as its daemon wrote it.
	ErrJournal = errors.New("the journal is not this agent's, or not as it was written")
	// ErrTooMany: a limit on how often or how many was reached.
	ErrTooMany = errors.New("too many requests")
	// ErrReplaced: the same session watches elsewhere since.
	ErrReplaced = errors.New("another stream of the same session took the place of this one")
	// ErrAuditBroken: the audit trail's end is not what its head record says.
	ErrAuditBroken = errors.New("the audit trail does not end where its head record says: run `cortex verify-audit` and restore a backup")
)

// An InvalidError says what is wrong with a request. It is written for the
// caller and carries nothing secret.
type InvalidError struct {
	// Field is the offending member as the caller wrote it.
	Field string
	// Reason completes the sentence "<Field> …".
	Reason string
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// A VersionError says that a secret has another version than the one that a
// change was made for.
type VersionError struct {
	// Version is the one it has.
	Version uint64
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the secret was changed meanwhile: it is at version %d", e.Version)
}

// A PendingError says that an administrator has to approve the named
// variables first.
type PendingError struct {
	// GrantID is the pending grant an administrator decides.
	GrantID string
	// RequestedKeys are the variable names that wait, sorted.
	RequestedKeys []string
	// AgentID and Project say for whom and for what.
	AgentID, Project string
}

func (e *PendingError) Error() string { return "access is waiting for an administrator's approval" }
