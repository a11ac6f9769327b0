package api

// Health answers GET /health: "ok" twice when the server can work. Otherwise
// the status is 503 and Status is "sealed" or "error".
type Health struct {
	Status string `json:"status"`
	DB     string `json:"db"`
}

// JWKS answers GET /.well-known/jwks.json: the public halves of the server's
// signing keys, newest first, as RFC 8037 writes them.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// A JWK is one of them. X is the key in URL-safe base64 without padding.
type JWK struct {
	KTY string `json:"kty"`
	CRV string `json:"crv"`
	KID string `json:"kid"`
	X   string `json:"x"`
	Alg string `json:"alg"`
}
