package proof

import (
	"crypto/ed25519"
	"strings"
	"testing"
)

// The bytes that are signed, as docs/formats.md has them.
func TestEnrolMessages(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	key := ed25519.NewKeyFromSeed(seed)
	pub := EncodeKey(key.Public().(ed25519.PublicKey))
	for _, row := range []struct {
		message   []byte
		text, sig string
	}{
		{
			DeviceInit{"deadbeefcafe0000", 1714248000, "my-agent", pub, "prod", "laptop", "https://vault.example.com:3000"}.Message(),
			"device-init|deadbeefcafe0000|1714248000|my-agent|A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg|prod|laptop|https://vault.example.com:3000",
			"qL4diwxeE7HGnsquw088XRQqi21YIxEY5cYk2VVeqKq2GIhETQPZgNz7_gJR_ZzPxRORCDnpVSPKDss8V9ZNDg",
		},
		{
			PollMessage(strings.Repeat("ab", 32), 1714248000), "poll|" + strings.Repeat("ab", 32) + "|1714248000",
			"NGU0PvhmTdvaGMGyFAVWh2pfS40T6aHthsOI2x5gBs-u4MvIT6FyegXlVfYuZtQIcq-YIAxxINQXngvXg4JvAw",
		},
		{
			DaemonInit{"deadbeefcafe0000", 1714248000, "my-agent", pub, strings.Repeat("0", 64), "4c1a3d0e", 1714247000, 42}.Message(),
			"daemon-attest|deadbeefcafe0000|1714248000|my-agent|A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg|" + strings.Repeat("0", 64) + "|4c1a3d0e|1714247000|42",
			"YrOjqVMdWP7K0rZWQjF40_z-i19skY2MiiOd9xTVuxgFA86eekuVdTm3SwiP62LODmNPe0-fl8G8u_KIeGheBA",
		},
	} {
		if string(row.message) != row.text {
			t.Errorf("got  %s\nwant %s", row.message, row.text)
		}
		if got := EncodeSignature(ed25519.Sign(key, row.message)); got != row.sig {
			t.Errorf("%s: signature %s", row.text, got)
		}
	}
}

func TestPlain(t *testing.T) {
	for _, s := range []string{"", "Bob's laptop (2)", "~ !"} {
		if !Plain(s, 16) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"a|b", "a\nb", "ü", "\x7f", "seventeen letters"} {
		if Plain(s, 16) {
			t.Errorf("%q passes", s)
		}
	}
}
