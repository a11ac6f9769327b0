package prompt

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadLine(t *testing.T) {
	for keys, want := range map[string]string{
		"hush\r":                         "hush",
		"hush\n":                         "hush",
		"\r":                             "",
		"hux\x7fsh\r":                    "hush",
		"hux\bsh\r":                      "hush",
		"bü\x7fush\r":                    "bush",
		"\x7f\x7fa\r":                    "a",
		"wrong\x15hush\r":                "hush",
		"a\x04b\r":                       "ab",
		"a\x1b\x00\x01b\tc\r":            "ab\tc",
		" spaced \rrest":                 " spaced ",
		strings.Repeat("a", 1000) + "\r": strings.Repeat("a", 1000),
	} {
		if got, err := readLine(strings.NewReader(keys)); err != nil || string(got) != want {
			t.Errorf("%q = %q, %v", keys, got, err)
		}
	}
	for _, keys := range []string{"\x03", "hus\x03h\r", "\x04"} {
		if _, err := readLine(strings.NewReader(keys)); !errors.Is(err, ErrInterrupted) {
			t.Errorf("%q: %v", keys, err)
		}
	}
	if _, err := readLine(strings.NewReader("hush")); !errors.Is(err, io.EOF) {
		t.Errorf("a terminal that goes away: %v", err)
	}
	if _, err := readLine(strings.NewReader(strings.Repeat("a", maxLine+1) + "\r")); err == nil {
		t.Error("an endless line was taken")
	}
}

func TestReadLineLeavesTheRest(t *testing.T) {
	r := strings.NewReader("one\rtwo\r")
	for _, want := range []string{"one", "two"} {
		if got, err := readLine(r); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
}
