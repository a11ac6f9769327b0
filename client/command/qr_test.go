package command

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rsc.io/qr"
)

// What is drawn is the code, with its margin, in black on white.
func TestQRCode(t *testing.T) {
	const text = "https://vault.example.com:3000/device"
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(qrCode(text, 80), "\n"), "\n")
	wide := code.Size + 2*quiet
	if len(lines) != (wide+1)/2 {
		t.Fatalf("%d lines for %d modules", len(lines), wide)
	}
	for i, line := range lines {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[30;107m"), "\x1b[0m")
		if utf8.RuneCountInString(line) != wide {
			t.Fatalf("line %d: %q", i, line)
		}
		for x, c := range []rune(line) {
			upper, lower := c == '█' || c == '▀', c == '█' || c == '▄'
			if y := 2*i - quiet; upper != code.Black(x-quiet, y) || lower != code.Black(x-quiet, y+1) {
				t.Fatalf("at %d, %d: %c", x, y, c)
			}
		}
	}
	if qrCode(text, wide-1) != "" || qrCode(text, wide) == "" || qrCode(strings.Repeat("x", 10000), 1000) != "" {
		t.Error("drawn where it does not fit, or not where it does")
	}
}
