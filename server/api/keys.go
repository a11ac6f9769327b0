package api

// SealStatus answers GET /sys/seal-status, and what seals and unseals.
type SealStatus struct {
	Sealed      bool `json:"sealed"`
	Initialized bool `json:"initialized"`
	// Recovered tells that shares opened the vault, and that nobody has set a new
	// password since.
	Recovered bool `json:"recovered,omitempty"`
	// Attempt names shares that were given so far, Missing how many more it takes.
	Attempt string `json:"attempt,omitempty"`
	Missing int    `json:"missing,omitempty"`
}

// UnsealRequest is the body of POST /sys/unseal: a password, or one share of
// several. The first share begins an attempt, which the others name.
type UnsealRequest struct {
	Password Value  `json:"password,omitzero"`
	Share    Value  `json:"share,omitzero"`
	Attempt  string `json:"attempt,omitempty"`
}

// ChangeKEKPassword is the body of POST /admin/change-password. After a recovery
// the current password may be left out.
type ChangeKEKPassword struct {
	CurrentPassword Value `json:"current_password,omitzero"`
	NewPassword     Value `json:"new_password"`
}

// RotateKey is the body of POST /admin/rotate-key. An account has to give the
// current operator password too.
type RotateKey struct {
	NewKEKPassword  Value `json:"new_kek_password"`
	CurrentPassword Value `json:"current_password,omitzero"`
}

// RotatedKey answers it. Rotated is true as soon as only the new password opens
// the vault; Finished when nothing is under the old key any more. Unopened
// counts what is lost, because its key does not open.
type RotatedKey struct {
	Rotated          bool   `json:"rotated"`
	SecretsRewrapped uint64 `json:"secrets_rewrapped"`
	NewKEKVersion    uint32 `json:"new_kek_version"`
	Finished         bool   `json:"finished"`
	Message          string `json:"message"`
	Unopened         uint64 `json:"unopened,omitempty"`
}

// A Rotation answers GET /admin/rotate-key: how far the last one has come.
type Rotation struct {
	FromVersion uint32 `json:"from_version"`
	ToVersion   uint32 `json:"to_version"`
	By          string `json:"by"`
	StartedAt   Time   `json:"started_at"`
	Rewrapped   uint64 `json:"rewrapped"`
	FinishedAt  *Time  `json:"finished_at"`
	// Compacting tells that the file still holds freed pages.
	Compacting bool `json:"compacting"`
	// Unopened counts what is lost, because its key does not open.
	Unopened uint64 `json:"unopened"`
	// Problem says why the rotation does not get on, or what was lost last.
	Problem string `json:"problem,omitempty"`
}

// SplitKey is the body of POST /admin/shamir/generate. An account has to give
// the current operator password too.
type SplitKey struct {
	Threshold       int   `json:"threshold"`
	Shares          int   `json:"shares"`
	CurrentPassword Value `json:"current_password,omitzero"`
}

// SharesMade answers it. The shares are shown this once.
type SharesMade struct {
	Threshold   int     `json:"threshold"`
	SharesCount int     `json:"shares_count"`
	Shares      []Value `json:"shares"`
	Warning     string  `json:"warning"`
}

// RotatedSigningKey answers POST /admin/rotate-signing-key.
type RotatedSigningKey struct {
	Rotated bool   `json:"rotated"`
	KID     string `json:"kid"`
}
