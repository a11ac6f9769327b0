package identity

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/cortex-auth/cortex/vault/proof"
)

// A Proof is an agent's signature for one discover request. It is good once,
// and for five minutes around TS.
type Proof struct {
	TS        int64  `json:"ts"` // Unix seconds
	Nonce     string `json:"nonce"`
	AuthProof string `json:"auth_proof"` // URL-safe base64
}

// Prove signs a fresh nonce and the present time.
func (k Key) Prove() (Proof, error) {
	var nonce [8]byte
	rand.Read(nonce[:])
	return k.proveAt(time.Now().Unix(), hex.EncodeToString(nonce[:]))
}

func (k Key) proveAt(ts int64, nonce string) (Proof, error) {
	sig, err := k.signature(proof.AgentMessage(ts, nonce, k.AgentID))
	return Proof{TS: ts, Nonce: nonce, AuthProof: sig}, err
}
