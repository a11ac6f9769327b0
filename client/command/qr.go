package command

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the margin that a QR code must have, in modules.
const quiet = 4

// qrCode draws a text as a QR code (ISO/IEC 18004), two modules a character, in
// black on white whatever the terminal's colours are. It is empty if it needs more
// than so many columns.
func qrCode(text string, columns int) string {
	code, err := qr.Encode(text, qr.L)
	if err != nil || code.Size+2*quiet > columns {
		return ""
	}
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -quiet; x < code.Size+quiet; x++ {
			b.WriteString(half(code.Black(x, y), code.Black(x, y+1)))
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}

// half returns the character for a module and the one below it.
func half(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}
