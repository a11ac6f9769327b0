package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// CallerHeaders say for whom a daemon asks, in the order in which it signs them.
var CallerHeaders = [...]string{
	"X-Cortex-Caller-Pid", "X-Cortex-Caller-Binary-Sha256", "X-Cortex-Caller-Argv-Hash", "X-Cortex-Caller-Cwd",
	"X-Cortex-Caller-Git-Commit", "X-Cortex-Hostname", "X-Cortex-Os",
}

// CallerDigest returns the lower-case hex SHA-256 of the caller headers that are
// there: a line name:value of each, its name in lower case and its value without
// blanks around, which do not travel. value returns a header's value, "" without.
func CallerDigest(value func(header string) string) string {
	h := sha256.New()
	for _, name := range CallerHeaders {
		if v := strings.Trim(value(name), " \t"); v != "" {
			h.Write([]byte(strings.ToLower(name) + ":" + v + "\n"))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// CallerMessage returns the bytes that the key of a session signs for the caller
// headers of a request: caller|jti|digest. The jti is that of the request's
// attestation, so that they belong to no other.
func CallerMessage(jti, digest string) []byte { return join("caller", jti, digest) }
