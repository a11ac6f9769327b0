package mask_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/daemon/mask"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// secret has something for every encoder to escape.
const secret = `s3cret/"Zq7+'é<x> \$?&` + "`end"

func newSet(t testing.TB, values ...string) *mask.Set {
	t.Helper()
	var list []mask.Value
	for i, v := range values {
		list = append(list, mask.Value{Name: string(rune('A' + i)), Value: opaque.New([]byte(v))})
	}
	s, err := mask.NewSet(list)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// through returns what comes out of the pieces.
func through(t testing.TB, s *mask.Set, pieces ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := s.Writer(&out)
	for _, p := range pieces {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestForms(t *testing.T) {
	s := newSet(t, secret)
	text := func(v any, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Trim(string(v.([]byte)), `"`)
	}
	for name, form := range map[string]string{
		"plain":         secret,
		"base64":        base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 raw":    base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"hex":           hex.EncodeToString([]byte(secret)),
		"HEX":           strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"query":         url.QueryEscape(secret),
		"path":          url.PathEscape(secret),
		"lower percent": strings.ReplaceAll(strings.ToLower(url.QueryEscape(secret)), "zq7", "Zq7"),
		"JSON":          text(json.Marshal(secret)),
	} {
		if got := through(t, s, "("+form+")"); got != "(‹cortex:A›)" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for before := range 5 {
		for after := range 5 {
			around := strings.Repeat("x", before) + secret + strings.Repeat("y", after)
			got := through(t, s, base64.StdEncoding.EncodeToString([]byte(around)))
			if !strings.Contains(got, "‹cortex:A›") || len(got) > len("‹cortex:A›")+16 {
				t.Errorf("%d bytes before and %d behind: %s", before, after, got)
			}
		}
	}
}

// What encoders of JSON escape that need not, each in its way.
func TestJSONStyles(t *testing.T) {
	for value, printed := range map[string][]string{
		"aZ3+kQ9/xT7+pLm2Vb8=": {
			`aZ3+kQ9/xT7+pLm2Vb8=`,
			`aZ3+kQ9\/xT7+pLm2Vb8=`,          // PHP
			`aZ3+kQ9/xT7+pLm2Vb8\u003d`,      // Gson
			`aZ3\u002BkQ9/xT7\u002BpLm2Vb8=`, // .NET
		},
		"<a&b>'c\"d`é😀\\\n": {
			"<a&b>'c\\\"d`é😀\\\\\\n",
			`\u003ca\u0026b\u003e'c\"d` + "`" + `\u00e9\ud83d\ude00\\\n`,     // Go, of ASCII only
			`\u003ca\u0026b\u003e\u0027c\"d` + "`" + `é😀\\\n`,                // Gson
			`\u003Ca\u0026b\u003E\u0027c\u0022d\u0060\u00E9\uD83D\uDE00\\\n`, // .NET
		},
	} {
		s := newSet(t, value)
		for _, text := range printed {
			if got := through(t, s, `{"a":"`+text+`"}`); got != `{"a":"‹cortex:A›"}` {
				t.Errorf("%s: %s", text, got)
			}
		}
	}
}

// The programs people print variables with.
func TestTools(t *testing.T) {
	long := strings.Repeat(secret, 7)
	for _, value := range []string{secret, long} {
		s := newSet(t, value)
		for _, script := range []string{
			`printf %s "$V"`, `echo "$V"`, `printf '%q\n' "$V"`, `declare -p V`, `export -p`, `set`, `env`, `echo "${V@Q}"`,
			`printf %s "$V" | base64`, `printf %s "$V" | base64 -w0`, `echo "$V" | base64`, `printf %s "$V" | od -An -v -tx1 | tr -d ' \n'`,
			`V="$V" sh -c 'export -p'`, `set -x; true "$V"`,
			`python3 -c 'import os, json; print(json.dumps(os.environ["V"]))'`,
			`python3 -c 'import os, json; print(json.dumps(os.environ["V"], ensure_ascii=False))'`,
			`python3 -c 'import os, shlex; print(shlex.quote(os.environ["V"]))'`,
			`python3 -c 'import os, urllib.parse as u; print(u.quote(os.environ["V"]))'`,
			`python3 -c 'import os; print(repr(os.environ["V"]))'`,
		} {
			cmd := exec.Command("bash", "-c", script)
			cmd.Env = []string{"V=" + value, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v %s", script, err, out)
			}
			got := through(t, s, string(out))
			if !strings.Contains(got, "‹cortex:A›") || strings.Contains(got, "cret") || strings.Contains(got, "czNjcmV0") {
				t.Errorf("%s: %s", script, got)
			}
		}
	}
}

func TestLines(t *testing.T) {
	s := newSet(t, "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\nshort\n-----END KEY-----\n")
	for text, want := range map[string]string{
		"-----BEGIN KEY-----\n":          "-----BEGIN KEY-----\n",
		"log: kqhkiG9w0BAQEF.\n":         "log: ‹cortex:A›.\n",
		"  MIIEvQIBADANBg\r\nshort\r\n":  "  ‹cortex:A›\r\nshort\r\n",
		"MIIEvQIBADANBgkqhkiG9w0BAQEF\n": "‹cortex:A›\n",
		"MIIEvQIBADANB\nkqhkiG9w0BAQE\n": "MIIEvQIBADANB\nkqhkiG9w0BAQE\n",
		"x-----BEGIN KEY-----\r\nMIIEvQIBADANBg\r\nkqhkiG9w0BAQEF\r\nshort\r\n-----END KEY-----\r\ny": "x‹cortex:A›y",
	} {
		if got := through(t, s, text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestOverlaps(t *testing.T) {
	s := newSet(t, "abcdefghij", "ghijklmnop", "cdefghij", "abcdefghijklmnopqrst", "xyxyxyxy")
	for text, want := range map[string]string{
		"1abcdefghij2":          "1‹cortex:A›2",
		"abcdefghijklmnop.":     "‹cortex:A›‹cortex:B›.",
		"abcdefghijklmnopqrst.": "‹cortex:D›.",
		"abcdefghijklmnopqrs":   "‹cortex:A›‹cortex:B›qrs",
		".xyxyxyxyxyxyxyx.":     ".‹cortex:E›x.",
		"abcdefghijabcdefghij":  "‹cortex:A›", // one behind the other
		"abcdefghij abcdefghij": "‹cortex:A› ‹cortex:A›",
		"cdefghijklmnop":        "‹cortex:C›‹cortex:B›",
		"abcdefghi":             "abcdefghi",
	} {
		if got := through(t, s, text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if got := through(t, s, strings.Split(text, "")...); got != want {
			t.Errorf("%s, byte by byte: %s, want %s", text, got, want)
		}
	}
}

func TestEscapes(t *testing.T) {
	s := newSet(t, "abcdefghij")
	for text, want := range map[string]string{
		"abcde\x1b[31;1mfghij!":                           "‹cortex:A›\x1b[31;1m!",
		"\x1b[1mabcdefghij\x1b[0m":                        "\x1b[1m‹cortex:A›\x1b[0m",
		"a\x1b[Kb\r\x1b[Kcdef\x1b]0;title\x07ghi\x1b(Bj.": "‹cortex:A›\x1b[K\r\x1b[K\x1b]0;title\x07\x1b(B.",
		"abcde\x1b]8;;http://x\x1b\\fghij":                "‹cortex:A›\x1b]8;;http://x\x1b\\",
		"\x1b]0;abcdefghij\x07":                           "\x1b]0;‹cortex:A›\x07",
		"\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte("abcdefghij")) + "\x07": "\x1b]52;c;‹cortex:A›\x07",
		"abcde\x1b[31mfghi_": "abcde\x1b[31mfghi_",
		"abcde\x1b":          "abcde\x1b",
		"abc\x1b]never ends": "abc\x1b]never ends",
	} {
		if got := through(t, s, text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got := through(t, s, strings.Split(text, "")...); got != want {
			t.Errorf("%q, byte by byte: %q, want %q", text, got, want)
		}
	}
	flood := "abc" + strings.Repeat("\x1b[0m", 100_000)
	if got := through(t, s, flood, flood, "defghij"); got != flood+flood+"defghij" {
		t.Errorf("%d bytes", len(got))
	}
}

// Each place of a value has its name, whatever came between them and when.
func TestNamesAgain(t *testing.T) {
	s := newSet(t, "abcdefghij")
	const value, name = "abcde\x1b[1mfghij", "‹cortex:A›\x1b[1m"
	if got := through(t, s, value, "|", value, " abcdefghij ", value); got != name+"|"+name+" ‹cortex:A› "+name {
		t.Errorf("%q", got)
	}
}

// What could begin a value waits until it cannot, and nothing else does.
func TestHolds(t *testing.T) {
	s := newSet(t, "abcdefghij")
	var out bytes.Buffer
	w := s.Writer(&out)
	want := func(text string) {
		t.Helper()
		if out.String() != text {
			t.Errorf("%q, want %q", out.String(), text)
		}
	}
	io.WriteString(w, "prompt> ")
	want("prompt> ")
	io.WriteString(w, "abcd")
	want("prompt> ")
	w.Release()
	want("prompt> ") // 4 bytes are too many
	io.WriteString(w, ".")
	want("prompt> abcd.")
	io.WriteString(w, "a")
	want("prompt> abcd.")
	w.Release()
	w.Release()
	want("prompt> abcd.a")
	io.WriteString(w, "b\x1b[1mcdefgh")
	io.WriteString(w, "ijk")
	want("prompt> abcd.a‹cortex:A›\x1b[1mk")
	io.WriteString(w, "ab")
	w.Release()
	io.WriteString(w, "cdefghijabc")
	w.Flush()
	want("prompt> abcd.a‹cortex:A›\x1b[1mkab‹cortex:A›abc")
}

func TestSameWidth(t *testing.T) {
	s := newSet(t, "abcdefghijklmnop", "schönes geheimnis", "mnopqrstuv")
	var out bytes.Buffer
	w := s.Writer(&out)
	w.SameWidth = true
	io.WriteString(w, "|abcdefghijklmnop|sch\x1b[1mönes geheimnis|abcdefghijklmnopqrstuv|")
	w.Flush()
	if want := "|‹cortex:A›******|‹cortex:B›*******\x1b[1m|‹cortex:A›************|"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

func TestShort(t *testing.T) {
	for value, short := range map[string]bool{
		"": true, "hunter2": true, "8080": true, "postgres": true, "Password": true, "********": true, "localhost:5432\n": true,
		"aB3xyz": false, "12345": true, "correcthorse": false, "x\nlonger-line": false, "\n\n\n\n\n\n\n\n\n": true, "        ": true,
	} {
		if got := mask.Short(opaque.New([]byte(value))); got != short {
			t.Errorf("%q: %t", value, got)
		}
		s := newSet(t, value)
		if s.Empty() != short {
			t.Errorf("%q: empty %t", value, s.Empty())
		}
		if got := through(t, s, "("+value+")"); (got == "("+value+")") != short {
			t.Errorf("%q: %s", value, got)
		}
	}
}

// Every word of the list is left alone, in any case and also with the characters
// outside of ASCII that fold to its own.
func TestCommonWords(t *testing.T) {
	list, err := os.ReadFile("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.NewReplacer("k", "\u212a", "s", "\u017f")
	for word := range strings.FieldsSeq(string(list)) {
		for _, value := range []string{word, strings.ToUpper(word), other.Replace(word), word + "\n"} {
			if !mask.Short(opaque.New([]byte(value))) {
				t.Errorf("%q would be masked", value)
			}
		}
		if mask.Short(opaque.New([]byte(word + "-7"))) {
			t.Errorf("%s-7 would not", word)
		}
	}
}

func TestWriteError(t *testing.T) {
	gone := errors.New("gone")
	w := newSet(t, "abcdefghij").Writer(failing{gone})
	if _, err := io.WriteString(w, "x"); err != gone {
		t.Error(err)
	}
	if err := w.Flush(); err != gone {
		t.Error(err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

// To find out whether a value is a word leaves no copy of it in memory for each word,
// which nobody would wipe.
func TestShortCopiesNothing(t *testing.T) {
	value := opaque.New([]byte("a value that is longer than what fits on a stack, and no word"))
	if n := testing.AllocsPerRun(10, func() { mask.Short(value) }); n > 10 {
		t.Errorf("%v copies", n)
	}
	if !mask.Short(opaque.New([]byte("PassWord"))) {
		t.Error("a word is none")
	}
}
