package attack

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// controlPrefix is what controls begin with in the place of a canary's prefix.
const controlPrefix = "cortex-control-"

// newControl returns a text that looks like a canary and is none.
func newControl() string {
	random := make([]byte, ipc.CanaryDigits/2)
	rand.Read(random) // never fails
	return controlPrefix + hex.EncodeToString(random)
}

// holds reports whether a text has a canary in it, or with controlPrefix a control.
func holds(text []byte, prefix string) bool {
	for {
		at := bytes.Index(text, []byte(prefix))
		if at < 0 {
			return false
		}
		text = text[at+len(prefix):]
		if len(text) >= ipc.CanaryDigits && !slices.ContainsFunc(text[:ipc.CanaryDigits], notHex) {
			return true
		}
	}
}

func notHex(c byte) bool { return bytes.IndexByte([]byte("0123456789abcdef"), c) < 0 }

// holdsCanary reports whether a text has a canary in it.
func holdsCanary(text []byte) bool { return holds(text, ipc.CanaryPrefix) }

// A form is a way to print a value, and to read it again.
type form struct {
	print func(w io.Writer, value string)
	read  func(line string) []byte
}

func text(s string) []byte { return []byte(s) }

func printf(format string) func(io.Writer, string) {
	return func(w io.Writer, v string) { fmt.Fprintf(w, format, v) }
}

// encodings are the forms in which a value is masked.
func encodings() map[string]form {
	all := map[string]form{
		"as it is":   {printf("%s"), text},
		"in JSON":    {func(w io.Writer, v string) { fmt.Fprintf(w, `{"value":%q}`, v) }, text},
		"in a URL":   {func(w io.Writer, v string) { io.WriteString(w, "https://host/?v="+url.QueryEscape(v)) }, text},
		"in colours": {printColoured, readColoured},
		"in hexadecimal digits": {printf("%x"), func(s string) []byte {
			b, _ := hex.DecodeString(s)
			return b
		}},
		"in large hexadecimal digits": {printf("%X"), func(s string) []byte {
			b, _ := hex.DecodeString(strings.ToLower(s))
			return b
		}},
	}
	for name, e := range map[string]*base64.Encoding{"in base64": base64.StdEncoding, "in base64 of URLs": base64.URLEncoding} {
		for _, before := range []string{"", ".", ".."} {
			key := name
			if before != "" {
				key = fmt.Sprintf("%s behind %d bytes", name, len(before))
			}
			all[key] = form{
				func(w io.Writer, v string) { io.WriteString(w, e.EncodeToString([]byte(before+v))) },
				func(s string) []byte {
					b, _ := e.DecodeString(s)
					return b
				},
			}
		}
	}
	return all
}

// slow prints byte by byte.
func slow() map[string]form {
	return map[string]form{"byte by byte": {func(w io.Writer, v string) {
		for i := range v {
			io.WriteString(w, v[i:i+1])
			time.Sleep(10 * time.Millisecond) // what is tried: to outlast what is held back
		}
	}, text}}
}

const sgr = "\x1b[0m"

func printColoured(w io.Writer, v string) {
	for i := range v {
		io.WriteString(w, v[i:i+1]+sgr)
	}
}

func readColoured(s string) []byte { return []byte(strings.ReplaceAll(s, sgr, "")) }

// transforms are forms in which no value is masked.
func transforms() map[string]form {
	reversed := func(s string) string {
		b := []byte(s)
		slices.Reverse(b)
		return string(b)
	}
	twice := func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	}
	return map[string]form{
		"backwards": {func(w io.Writer, v string) { io.WriteString(w, reversed(v)) }, func(s string) []byte { return []byte(reversed(s)) }},
		"spaced": {
			func(w io.Writer, v string) { io.WriteString(w, strings.Join(strings.Split(v, ""), " ")) },
			func(s string) []byte { return []byte(strings.ReplaceAll(s, " ", "")) },
		},
		"in base64 twice": {func(w io.Writer, v string) { io.WriteString(w, twice(v)) }, func(s string) []byte {
			once, _ := base64.StdEncoding.DecodeString(s)
			b, _ := base64.StdEncoding.DecodeString(string(once))
			return b
		}},
	}
}

// forms are those of a move, by its name.
func forms(which string) map[string]form {
	switch which {
	case "encodings":
		return encodings()
	case "slow":
		return slow()
	case "transforms":
		return transforms()
	}
	return nil
}

// printed are the values of a run.
func printed() (values map[string]string) {
	values = map[string]string{"environment": os.Getenv(ipc.CanaryName)}
	if b, err := os.ReadFile(os.Getenv(ipc.CanaryFileName)); err == nil {
		values["file"] = string(b)
	}
	return values
}
