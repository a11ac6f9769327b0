package server

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretInput(t *testing.T) {
	const variable = "CORTEX_TEST_SECRET"
	file := writeFile(t, " \tfrom file\n\n")
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "cred"), []byte("from credential\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(in secretInput) (string, error) {
		f, err := in.find(t.Context(), slog.New(slog.DiscardHandler))
		return string(f.Reveal()), err
	}
	if got, err := read(secretInput{variable, "", "cred"}); got != "" || err != nil {
		t.Errorf("nothing: %q, %v", got, err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	if got, err := read(secretInput{variable, "", "cred"}); got != "from credential" || err != nil {
		t.Errorf("credential: %q, %v", got, err)
	}
	if got, err := read(secretInput{variable, "", "other"}); got != "" || err != nil {
		t.Errorf("no such credential: %q, %v", got, err)
	}
	if got, err := read(secretInput{variable, file, "cred"}); got != "from file" || err != nil {
		t.Errorf("file: %q, %v", got, err)
	}
	t.Setenv(variable, "  from environment ")
	if got, err := read(secretInput{variable, file, "cred"}); got != "from environment" || err != nil {
		t.Errorf("environment: %q, %v", got, err)
	}
	if _, ok := os.LookupEnv(variable); ok {
		t.Error("it is still in the environment")
	}
	if _, err := read(secretInput{variable, filepath.Join(credentials, "missing"), "cred"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	for _, blank := range []string{"", " ", "\n"} {
		t.Setenv(variable, blank)
		if _, err := read(secretInput{variable, "", "cred"}); err == nil {
			t.Errorf("%q was taken", blank)
		}
		if _, err := read(secretInput{variable, writeFile(t, blank), "cred"}); err == nil {
			t.Errorf("a file with %q was taken", blank)
		}
	}
	long := strings.Repeat("x", secretfile.Max)
	if got, err := read(secretInput{variable, writeFile(t, long), ""}); got != long || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := read(secretInput{variable, writeFile(t, long+"x"), ""}); err == nil || strings.Contains(err.Error(), "xxx") {
		t.Errorf("too long: %v", err)
	}
}

func TestReadPasswordLine(t *testing.T) {
	for in, want := range map[string]string{
		"hush\n": "hush", "hush": "hush", "  hush \r\nrest": "hush", "a b\n": "a b",
		strings.Repeat("x", secretfile.Max): strings.Repeat("x", secretfile.Max),
	} {
		got, err := readPasswordLine(iotest.OneByteReader(strings.NewReader(in)))
		if err != nil || string(got.Reveal()) != want {
			t.Errorf("%.20q: %q, %v", in, got.Reveal(), err)
		}
	}
	r := strings.NewReader("first\nsecond\n")
	if _, err := readPasswordLine(r); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "second\n" {
		t.Errorf("read on: %q is left", rest)
	}
	if _, err := readPasswordLine(strings.NewReader("")); !errors.Is(err, io.EOF) {
		t.Errorf("nothing: %v", err)
	}
	for _, in := range []string{"\n", "  \nx\n", strings.Repeat("x", secretfile.Max+1), strings.Repeat("x", secretfile.Max+100) + "\n"} {
		if got, err := readPasswordLine(strings.NewReader(in)); err == nil {
			t.Errorf("%.20q: %q", in, got.Reveal())
		}
	}
}

// A password is cut to the same whether a request has it or the start reads it.
func TestTrimmedAlike(t *testing.T) {
	for _, text := range []string{"secret", " secret\n", "\u00a0secret\u00a0", "\u0085secret", "\x01secret\x01", "\u2003secret"} {
		atStart, err := secretfile.Trim([]byte(text), "the test")
		if err != nil {
			t.Fatal(err)
		}
		if got := trimmedValue(api.NewValue([]byte(text))); string(got.Reveal()) != string(atStart.Reveal()) {
			t.Errorf("%q: a request has %q, the start %q", text, got.Reveal(), atStart.Reveal())
		}
	}
}
