package api

// Identity is what GET /.well-known/cortex answers: by which key the vault is
// known, and, where TLS ends at the server itself, which key that shows now, with
// the vault's signature over both.
type Identity struct {
	VaultKey  string `json:"vault_key"`            // Ed25519, URL-safe base64
	ServerKey string `json:"server_key,omitempty"` // fingerprint of the TLS key
	Issued    int64  `json:"issued,omitempty"`     // Unix seconds
	Signature string `json:"signature,omitempty"`  // URL-safe base64
}
