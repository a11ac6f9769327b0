package opaque_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"log"
	"log/slog"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// plain is the secret of these tests. It is put together at run time, so that
// it stands in no source line that a trace could quote.
func plain() []byte { return []byte(strings.Join([]string{"Zq7", "hunter2", "é!"}, "-")) }

// leaks returns the disguises under which out holds the secret, or a part of
// it that could not be there by chance.
func leaks(out string) []string {
	secret := plain()
	list := func(format, sep string) string {
		var parts []string
		for _, b := range secret[:4] {
			parts = append(parts, fmt.Sprintf(format, b))
		}
		return strings.Join(parts, sep)
	}
	disguises := map[string]string{
		"plain":      string(secret[:6]),
		"quoted":     strings.Trim(strconv.QuoteToASCII(string(secret[4:])), `"`),
		"hex":        hex.EncodeToString(secret[:4]),
		"HEX":        strings.ToUpper(hex.EncodeToString(secret[:4])),
		"base64":     base64.StdEncoding.EncodeToString(secret[:6]),
		"decimal":    list("%d", " "),
		"decimal,":   list("%d", ","),
		"decimal, ":  list("%d", ", "),
		"0xhex, ":    list("%#x", ", "),
		"hex spaced": list("%x", " "),
		"octal":      list("%o", " "),
		"binary":     list("%b", " "),
		"chars":      list("%c", " "),
		"char codes": list("%q", " "),
		"code point": list("%U", " "),
	}
	var found []string
	for name, d := range disguises {
		if strings.Contains(out, d) {
			found = append(found, name)
		}
	}
	return found
}

func noLeak(t *testing.T, what, out string) {
	t.Helper()
	if found := leaks(out); found != nil {
		t.Errorf("%s shows the secret as %q: %s", what, found, out)
	}
}

// holders are the values in which a Bytes has been seen to slip through.
func holders() map[string]any {
	type exported struct{ Secret opaque.Bytes }
	type unexported struct{ secret opaque.Bytes }
	type pointers struct {
		Exported *opaque.Bytes
		hidden   *opaque.Bytes
	}
	type embedded struct{ opaque.Bytes }
	type deep struct {
		name string
		list []map[string]any
	}
	b := opaque.New(plain())
	return map[string]any{
		"value":              b,
		"pointer":            &b,
		"exported field":     exported{b},
		"pointer to struct":  &exported{b},
		"unexported field":   unexported{b},
		"pointer to hidden":  &unexported{b},
		"fields of pointers": pointers{&b, &b},
		"embedded":           embedded{b},
		"slice":              []opaque.Bytes{b, b},
		"array":              [2]opaque.Bytes{b, b},
		"map":                map[string]opaque.Bytes{"k": b},
		"any":                []any{b, &b},
		"deep":               deep{"x", []map[string]any{{"k": unexported{b}, "l": &b}}},
		"channel of structs": struct{ c chan unexported }{make(chan unexported)},
		"reflect":            reflect.ValueOf(unexported{b}),
		"reflected field":    reflect.ValueOf(unexported{b}).Field(0),
		"error":              fmt.Errorf("reading %v: %w", b, errors.New("no")),
	}
}

func TestLeaksFindsWhatIsThere(t *testing.T) {
	for _, format := range []string{"%s", "%v", "%x", "%X", "%q", "%+q", "%#v", "% x", "%d", "%o", "%b", "%c", "%U"} {
		if out := fmt.Sprintf(format, plain()); leaks(out) == nil {
			t.Errorf("%s: %s", format, out)
		}
	}
}

func TestFormat(t *testing.T) {
	for name, v := range holders() {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspwyZ!" {
			for _, flags := range []string{"", "+", "-", "#", " ", "0", "+#", "# ", "40", "-40.30", ".100"} {
				format := "%" + flags + string(verb)
				noLeak(t, name+" under "+format, fmt.Sprintf(format, v))
			}
		}
		noLeak(t, name+" under Sprint", fmt.Sprint(v, v))
		noLeak(t, name+" under Sprintln", fmt.Sprintln(v))
		for _, wrong := range []string{"", "%[2]d", "%[1]*d"} {
			noLeak(t, name+" misused in "+wrong, fmt.Sprintf(wrong, v))
		}
		noLeak(t, name+" under Append", string(fmt.Append(nil, v)))
	}
}

func TestPlaceholder(t *testing.T) {
	b := opaque.New(plain())
	for _, out := range []string{
		fmt.Sprint(b), fmt.Sprintf("%s", b), fmt.Sprintf("%x", b), fmt.Sprintf("%#v", b), fmt.Sprintf("%+v", &b),
		b.String(), b.GoString(), b.LogValue().String(), fmt.Sprint(opaque.Bytes{}),
	} {
		if out != "[opaque]" {
			t.Errorf("got %q", out)
		}
	}
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	options := &slog.HandlerOptions{AddSource: true, Level: slog.LevelDebug}
	for name, v := range holders() {
		for kind, handler := range map[string]slog.Handler{
			"text": slog.NewTextHandler(&out, options),
			"JSON": slog.NewJSONHandler(&out, options),
		} {
			out.Reset()
			l := slog.New(handler)
			l.With("with", v).WithGroup("g").Info("message", "attr", v, slog.Group("group", slog.Any("in", v)))
			noLeak(t, kind+" log of "+name, out.String())
		}
		out.Reset()
		log.New(&out, "", 0).Println(v)
		noLeak(t, "log of "+name, out.String())
	}
}

var (
	textTemplate = template.Must(template.New("").Parse(`{{.}} {{printf "%s" .}}`))
	htmlTemplate = htmltemplate.Must(htmltemplate.New("").Parse(`<a title="{{.}}">{{.}}</a><script>var x = {{.}}</script>`))
)

func TestTextEncoders(t *testing.T) {
	for name, v := range holders() {
		if _, ok := v.(reflect.Value); ok {
			continue // templates panic on those of unexported fields
		}
		encoders := map[string]func(io.Writer) error{
			"JSON":          func(w io.Writer) error { return json.NewEncoder(w).Encode(v) },
			"XML":           func(w io.Writer) error { return xml.NewEncoder(w).Encode(v) },
			"text template": func(w io.Writer) error { return textTemplate.Execute(w, v) },
			"HTML template": func(w io.Writer) error { return htmlTemplate.Execute(w, v) },
		}
		for kind, encode := range encoders {
			var out bytes.Buffer
			err := encode(&out) // some have no encoding, which is as well
			noLeak(t, kind+" of "+name, out.String()+fmt.Sprint(err))
		}
	}
}

func TestBinaryEncodersRefuse(t *testing.T) {
	type row struct {
		Name   string
		Secret opaque.Bytes
	}
	b := opaque.New(plain())
	for name, v := range map[string]any{"value": b, "pointer": &b, "field": row{"n", b}, "map": map[string]opaque.Bytes{"k": b}} {
		var out bytes.Buffer
		if err := gob.NewEncoder(&out).Encode(v); err == nil {
			t.Errorf("gob encodes a %s", name)
		} else {
			noLeak(t, "gob of "+name, out.String()+err.Error())
		}
		if err := binary.Write(&out, binary.BigEndian, v); err == nil {
			t.Errorf("encoding/binary encodes a %s", name)
		}
		noLeak(t, "binary of "+name, out.String())
	}
	if _, err := b.MarshalBinary(); err == nil {
		t.Error("MarshalBinary succeeds")
	}
}

func TestReveal(t *testing.T) {
	secret := plain()
	b := opaque.New(secret)
	copied := b
	if got := b.Reveal(); &got[0] != &secret[0] {
		t.Error("Reveal returns a copy")
	}
	if b.Len() != len(secret) || b.IsZero() {
		t.Errorf("length %d, zero %t", b.Len(), b.IsZero())
	}
	b.Wipe()
	if !bytes.Equal(secret, make([]byte, len(secret))) || !bytes.Equal(copied.Reveal(), secret) || copied.Len() != len(secret) {
		t.Error("Wipe does not overwrite the secret of every copy")
	}
}

func TestZero(t *testing.T) {
	var b opaque.Bytes
	b.Wipe()
	if b.Reveal() != nil || b.Len() != 0 || !b.IsZero() {
		t.Error("the zero value is not empty")
	}
	if !opaque.New([]byte{}).IsZero() || !opaque.New(nil).IsZero() {
		t.Error("an empty secret is not zero")
	}
	if reflect.TypeFor[opaque.Bytes]().Comparable() {
		t.Error("secrets can be compared with ==")
	}
}

// panicking is the variable that makes this test binary panic with a secret.
const panicking = "CORTEX_TEST_PANIC"

func TestMain(m *testing.M) {
	if name := os.Getenv(panicking); name != "" {
		panic(panicValue(name))
	}
	os.Exit(m.Run())
}

func panicValue(name string) any {
	if v, ok := holders()[name]; ok {
		return v
	}
	return fmt.Errorf("no such value: %s", name)
}
