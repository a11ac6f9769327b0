package keyring

import (
	"context"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// AccountCost is what a guess at the password of an account costs.
var AccountCost = Low

// StretchPassword derives 32 bytes from the password of an account, as a slot
// does from the operator's. They are not to be stored as they are: whoever has
// them needs no password. The caller wipes them. A salt has 16 bytes.
func (p Params) StretchPassword(ctx context.Context, password opaque.Bytes, salt []byte) ([]byte, error) {
	return p.derive(ctx, password, salt)
}
