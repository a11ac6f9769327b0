package proof

import (
	"crypto/ed25519"
	"testing"
)

// Made by another implementation.
const (
	vecCallerDigest    = "04b3414109cad6698a0fbab97e87d411b119715b036e6903f3090128aed6e74f"
	vecCallerSignature = "klRVzGEYVHfCda6b6c3QLjP06zRYpHIeipYKA-TQIHR0WgXia3NQ52FVl4UZqrN1LCzmsoh0wHhwC8ODLOZdCw"
)

func vecCaller(name string) string {
	return map[string]string{"X-Cortex-Caller-Pid": "4242", "X-Cortex-Caller-Cwd": "/srv/app", "X-Cortex-Os": "linux/amd64", "X-Other": "x"}[name]
}

func TestCallerVector(t *testing.T) {
	if got := CallerDigest(vecCaller); got != vecCallerDigest {
		t.Errorf("digest %s", got)
	}
	message := CallerMessage("66666666-7777-4888-8999-aaaaaaaaaaaa", vecCallerDigest)
	if string(message) != "caller|66666666-7777-4888-8999-aaaaaaaaaaaa|"+vecCallerDigest {
		t.Errorf("%s", message)
	}
	if got := EncodeSignature(ed25519.Sign(vecKey(), message)); got != vecCallerSignature {
		t.Errorf("signature %s", got)
	}
}

// No two descriptions have one digest, but those that arrive as one.
func TestCallerDigest(t *testing.T) {
	of := func(pairs ...string) string {
		return CallerDigest(func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		})
	}
	base := of("X-Cortex-Caller-Cwd", "/a", "X-Cortex-Os", "b")
	if of("X-Cortex-Os", "b\t", "X-Cortex-Caller-Cwd", " /a ") != base {
		t.Error("blanks around a value count")
	}
	for _, other := range []string{of(), of("X-Cortex-Caller-Cwd", "/a"), of("X-Cortex-Caller-Cwd", "/a", "X-Cortex-Hostname", "b"), of("X-Cortex-Caller-Cwd", "/A", "X-Cortex-Os", "b")} {
		if other == base {
			t.Error("another description has the same digest")
		}
	}
}
