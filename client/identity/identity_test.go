package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// The vectors of the wire protocol.
const (
	vecSeed  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	vecPub   = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
	vecProof = "yS13QWSsgCaq0fA7gRycKrqhsqOwY9hBbxU-rlo3YnQhTFStCJxMetdiSqm-QWV-d8Tx-z-qWJ2_DNNdycUCDw"
	vecJWT   = "eyJhbGciOiJFZERTQSIsImtpZCI6ImtpZC0xIiwidHlwIjoiSldUIn0.eyJhdWQiOiJjb3J0ZXgtZGFlbW9uIiwiZXhwIjoxNzE2ODQwMDAwLCJpYXQiOjE3MTQyNDgwMDAsImlzcyI6ImNvcnRleC1hdXRoIiwianRpIjoiNjY2NjY2NjYtNzc3Ny00ODg4LTg5OTktYWFhYWFhYWFhYWFhIiwic2NvcGUiOiJkYWVtb24iLCJzdWIiOiJteS1hZ2VudCJ9.4e-L_nlV_w36eovDTZmgcq9LMY2jXLD216aAr8LI1V0ptlDqRNUdqeSKsZksLw_xM5FMmp8ADaA7yLbxYQvFCw"
)

// writeFile writes a file with exactly this mode, whatever the umask.
func writeFile(t *testing.T, path, content string, mode fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func vecKey(t *testing.T) Key {
	t.Helper()
	k, err := Load(writeFile(t, filepath.Join(t.TempDir(), "k"), vecSeed, 0o600), "my-agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Destroy)
	return k
}

func TestKeyVector(t *testing.T) {
	k := vecKey(t)
	if got := proof.EncodeKey(k.Public()); got != vecPub {
		t.Errorf("public key %s", got)
	}
	p, err := k.proveAt(1714248000, "deadbeefcafe0000")
	if err != nil || p.AuthProof != vecProof {
		t.Errorf("proof %+v, %v", p, err)
	}
}

func TestProve(t *testing.T) {
	k := vecKey(t)
	p, err := k.Prove()
	if err != nil {
		t.Fatal(err)
	}
	sig, err := proof.DecodeSignature(p.AuthProof)
	if err != nil || len(p.Nonce) != 16 || !proof.ValidNonce(p.Nonce) {
		t.Fatalf("%+v, %v", p, err)
	}
	if !ed25519.Verify(k.Public(), proof.AgentMessage(p.TS, p.Nonce, "my-agent"), sig) {
		t.Error("does not verify")
	}
	if again, _ := k.Prove(); again.Nonce == p.Nonce {
		t.Error("the nonce was used twice")
	}
}

func TestGenerate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := Path(dir, "me@host:1")
	k, err := Generate(path, "me@host:1")
	if err != nil {
		t.Fatal(err)
	}
	defer k.Destroy()
	for file, mode := range map[string]fs.FileMode{path: 0o600, dir: 0o700, filepath.Dir(dir): 0o700} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v", file, info.Mode(), err)
		}
	}
	text := readFile(t, path)
	if b, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(b) != 32 {
		t.Errorf("%d characters, %v", len(text), err)
	}
	again, err := Load(path, "me@host:1")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Destroy()
	if !again.Public().Equal(k.Public()) {
		t.Error("another key came back")
	}
}

func TestGenerateNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	for name, path := range map[string]string{
		"a key":           writeFile(t, filepath.Join(dir, "key"), vecSeed, 0o600),
		"an empty file":   writeFile(t, filepath.Join(dir, "empty"), "", 0o600),
		"a link":          filepath.Join(dir, "link"),
		"a dangling link": filepath.Join(dir, "dangling"),
	} {
		switch name {
		case "a link":
			writeFile(t, target, "precious", 0o644)
			os.Symlink(target, path)
		case "a dangling link":
			os.Symlink(filepath.Join(dir, "nowhere"), path)
		}
		if _, err := Generate(path, "a"); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if readFile(t, filepath.Join(dir, "key")) != vecSeed || readFile(t, target) != "precious" {
		t.Error("something was overwritten")
	}
	if _, err := os.Lstat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a key was written through a dangling link")
	}
}

func TestAgentIDsAreChecked(t *testing.T) {
	for _, id := range []string{"", "../x", "a/b", "a.b"} {
		if _, err := Generate(filepath.Join(t.TempDir(), "k"), id); !errors.Is(err, ErrAgentID) {
			t.Errorf("Generate %q: %v", id, err)
		}
		if _, err := Load(filepath.Join(t.TempDir(), "k"), id); !errors.Is(err, ErrAgentID) {
			t.Errorf("Load %q: %v", id, err)
		}
	}
}

func TestLoadRefusesUnsafeFiles(t *testing.T) {
	dir := t.TempDir()
	good := writeFile(t, filepath.Join(dir, "good"), vecSeed, 0o600)
	link := filepath.Join(dir, "link")
	fifo := filepath.Join(dir, "fifo")
	if err := errors.Join(os.Symlink(good, link), unix.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ path, text string }{
		"group can read":   {writeFile(t, filepath.Join(dir, "640"), vecSeed, 0o640), "chmod 600"},
		"others can read":  {writeFile(t, filepath.Join(dir, "604"), vecSeed, 0o604), "chmod 600"},
		"others can write": {writeFile(t, filepath.Join(dir, "602"), vecSeed, 0o602), "chmod 600"},
		"a link":           {link, "symbolic link"},
		"a pipe":           {fifo, "plain file"},
		"a directory":      {dir, "plain file"},
	} {
		if _, err := Load(row.path, "a"); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "none"), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(good, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(good, "a"); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "uid 12345") {
			t.Errorf("a file of another user: %v", err)
		}
	}
}

func TestKeyFileText(t *testing.T) {
	dir := t.TempDir()
	load := func(text string) error {
		k, err := Load(writeFile(t, filepath.Join(dir, "k"), text, 0o600), "a")
		if err == nil {
			k.Destroy()
		}
		return err
	}
	for _, text := range []string{vecSeed, vecSeed + "\n", " \t" + vecSeed + "\r\n\n"} {
		if err := load(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{
		"", "\n", vecSeed[:42], vecSeed + "A", vecSeed + "=", vecSeed[:20] + "\n" + vecSeed[20:], vecSeed[:42] + "9",
		strings.Replace(vecSeed, "Q", "+", 1), vecSeed[:41] + "\r\n", vecSeed + strings.Repeat(" ", 200),
	} {
		if err := load(text); !errors.Is(err, ErrFormat) || len(text) > 20 && strings.Contains(err.Error(), text[:20]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	for _, s := range []string{vecSeed, vecSeed + "\n", vecSeed[:42] + "9", vecSeed[:20] + "\n" + vecSeed[21:], ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSeed(text)
		if err != nil {
			return
		}
		defer s.Destroy()
		if got := base64.RawURLEncoding.EncodeToString(s.Seed().Bytes()); got != string(bytes.TrimSpace(text)) {
			t.Fatalf("%q is a second spelling of %s", text, got)
		}
	})
}

func TestDirAndPath(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("CORTEX_HOME", "")
	if got := Path(Dir(), "a"); got != "/home/me/.cortex/agent-a.key" {
		t.Error(got)
	}
	t.Setenv("CORTEX_HOME", "/srv/cortex")
	if got := SessionPath(Dir()); got != "/srv/cortex/daemon-session.json" {
		t.Error(got)
	}
}

func session() Session {
	return Session{ServerURL: "https://v.example", AgentID: "my-agent", IssuedAt: time.Unix(1714248000, 0).UTC(), ExpiresIn: 30 * 24 * time.Hour}
}

func TestSession(t *testing.T) {
	k, dir, want := vecKey(t), filepath.Join(t.TempDir(), "home"), session()
	for range 2 { // the second replaces
		if err := SaveSession(dir, k, want, opaque.New([]byte(vecJWT))); err != nil {
			t.Fatal(err)
		}
	}
	text := readFile(t, SessionPath(dir))
	for _, part := range append(strings.Split(vecJWT, "."), vecJWT, base64.StdEncoding.EncodeToString([]byte(vecJWT))) {
		if strings.Contains(text, part) {
			t.Errorf("the token is in the file: %s", text)
		}
	}
	if info, _ := os.Stat(SessionPath(dir)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("directory mode %v", info.Mode())
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if got, err := LoadSession(dir); err != nil || got != want {
		t.Errorf("loaded %+v, %v", got, err)
	}
	got, token, err := OpenSession(dir, k)
	if err != nil || got != want || string(token.Reveal()) != vecJWT {
		t.Errorf("opened %+v, %v", got, err)
	}
}

func TestSessionIsBound(t *testing.T) {
	k, dir := vecKey(t), t.TempDir()
	if err := SaveSession(dir, k, session(), opaque.New([]byte(vecJWT))); err != nil {
		t.Fatal(err)
	}
	text := readFile(t, SessionPath(dir))
	other, err := Generate(filepath.Join(dir, "other"), "my-agent")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Destroy()
	if _, _, err := OpenSession(dir, other); !errors.Is(err, ErrOpen) {
		t.Errorf("with another key: %v", err)
	}
	stranger := k
	stranger.AgentID = "stranger"
	if _, _, err := OpenSession(dir, stranger); err == nil {
		t.Error("opened for another agent")
	}
	writeFile(t, SessionPath(dir), strings.Replace(text, "v.example", "evil.example", 1), 0o600)
	if _, _, err := OpenSession(dir, k); !errors.Is(err, ErrOpen) {
		t.Errorf("moved to another server: %v", err)
	}
	writeFile(t, SessionPath(dir), strings.Replace(text, `token": "`, `token": "AAAA`, 1), 0o600)
	if _, _, err := OpenSession(dir, k); !errors.Is(err, ErrOpen) {
		t.Errorf("altered: %v", err)
	}
}

// A login that was proved leaves no token behind, and the rest is sealed all the
// same.
func TestProvedSession(t *testing.T) {
	k, dir, want := vecKey(t), t.TempDir(), session()
	want.Proved, want.ExpiresIn = true, 0
	if err := SaveSession(dir, k, want, opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSession(dir); err != nil || got != want {
		t.Errorf("loaded %+v, %v", got, err)
	}
	got, token, err := OpenSession(dir, k)
	if err != nil || got != want || len(token.Reveal()) != 0 || got.Over(time.Now()) || !got.ExpiresAt().IsZero() {
		t.Errorf("opened %+v, %v", got, err)
	}
	text := readFile(t, SessionPath(dir))
	for name, row := range map[string]struct {
		old, new string
		want     error
	}{
		"another server":  {"v.example", "evil.example", ErrOpen},
		"another agent":   {`"my-agent"`, `"your-agent"`, nil},
		"a token":         {`"seal"`, `"sealed_access_token"`, ErrOpen},
		"a token as well": {`"seal"`, `"sealed_access_token": "AAAA", "seal"`, ErrFormat},
		"a clear token":   {`"seal"`, `"access_token": "x", "seal"`, ErrFormat},
	} {
		writeFile(t, SessionPath(dir), strings.Replace(text, row.old, row.new, 1), 0o600)
		if _, _, err := OpenSession(dir, k); err == nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	save(t, dir, k, nil)
	writeFile(t, SessionPath(dir), strings.Replace(readFile(t, SessionPath(dir)), "sealed_access_token", "seal", 1), 0o600)
	if _, _, err := OpenSession(dir, k); !errors.Is(err, ErrOpen) {
		t.Errorf("a sealed token for a seal: %v", err)
	}
}

func TestProved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	for _, url := range []string{"https://a.example", "https://b.example:3000", "https://a.example"} {
		if err := RememberProved(dir, "bot", url); err != nil {
			t.Fatal(err)
		}
	}
	if text := readFile(t, ProvedPath(dir, "bot")); text != "https://a.example\nhttps://b.example:3000\n" {
		t.Errorf("%q", text)
	}
	for _, row := range []struct {
		agent, url string
		want       bool
	}{{"bot", "https://b.example:3000", true}, {"bot", "https://b.example", false}, {"other", "https://a.example", false}} {
		if got, err := Proved(dir, row.agent, row.url); err != nil || got != row.want {
			t.Errorf("%v: %v, %v", row, got, err)
		}
	}
	os.Chmod(ProvedPath(dir, "bot"), 0o666)
	if _, err := Proved(dir, "bot", "https://a.example"); !errors.Is(err, ErrUnsafe) {
		t.Errorf("writable by all: %v", err)
	}
}

// A file of an older program holds the token in clear and no agent id.
func TestOldSessionIsSealed(t *testing.T) {
	k, dir := vecKey(t), t.TempDir()
	old := `{"access_token": "` + vecJWT + `", "expires_in": 2592000, "server_url": "https://v.example"}`
	writeFile(t, SessionPath(dir), old, 0o600)
	if got, err := LoadSession(dir); err != nil || got != session() {
		t.Errorf("loaded %+v, %v", got, err)
	}
	if readFile(t, SessionPath(dir)) != old {
		t.Error("looking at it changed it")
	}
	for range 2 {
		got, token, err := OpenSession(dir, k)
		if err != nil || got != session() || string(token.Reveal()) != vecJWT {
			t.Fatalf("opened %+v, %v", got, err)
		}
		if text := readFile(t, SessionPath(dir)); strings.Contains(text, "access_token\": \"ey") || strings.Contains(text, strings.Split(vecJWT, ".")[1]) {
			t.Fatalf("still in clear: %s", text)
		}
	}
}

func TestSessionRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadSession(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	for _, text := range []string{
		"", "{}", "[]", `{"server_url":"u","agent_id":"a"}`, `{"server_url":"u","access_token":"no.jwt.here"}`,
		`{"server_url":"u","agent_id":"../a","sealed_access_token":"AA"}`,
		`{"server_url":"u","agent_id":"a","expires_in":-1,"sealed_access_token":"AA"}`,
		`{"server_url":"u","agent_id":"a","expires_in":9999999999999,"sealed_access_token":"AA"}`,
		`{"server_url":"u","agent_id":"a","sealed_access_token":"AA"} x`,
		`"` + strings.Repeat("a", maxSessionFile) + `"`,
	} {
		writeFile(t, SessionPath(dir), text, 0o600)
		if _, err := LoadSession(dir); !errors.Is(err, ErrFormat) {
			t.Errorf("%.80q: %v", text, err)
		}
	}
	writeFile(t, SessionPath(dir), `{}`, 0o644)
	if _, err := LoadSession(dir); !errors.Is(err, ErrUnsafe) {
		t.Errorf("readable by all: %v", err)
	}
	if there, err := DeleteSession(dir); !there || err != nil {
		t.Errorf("delete: %v, %v", there, err)
	}
	if there, err := DeleteSession(dir); there || err != nil {
		t.Errorf("delete again: %v, %v", there, err)
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"access_token": "` + vecJWT + `", "expires_in": 2592000, "server_url": "https://v.example"}`))
	f.Add([]byte(`{"server_url":"u","agent_id":"a","issued_at":"2026-01-01T00:00:00Z","sealed_access_token":"AA"}`))
	f.Add([]byte(`{"access_token":"a.e30.b","server_url":"u"}`))
	f.Add([]byte(`{"server_url":"u","agent_id":"a","issued_at":"2026-01-01T00:00:00Z","seal":"AA"}`))
	f.Add([]byte(`{"server_url":"u","agent_id":"a","pin":{"server_key":"SHA256:8dWUSbcnFl3nMr8oMzgSK5liimFZGP7cZ9h4//z0fac","vault_key":"` + vecPub + `","issued":1},"sealed_access_token":"AA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSession(b)
		if err != nil {
			return
		}
		if !proof.ValidAgentID(s.AgentID) || s.session().ExpiresIn < 0 {
			t.Fatalf("%q gives %+v", b, s.session())
		}
		if _, err := json.Marshal(s.session()); err != nil {
			t.Fatal(err)
		}
	})
}

// Keys do not end up in whatever directory somebody happens to be in.
func TestDirWithoutHome(t *testing.T) {
	t.Setenv("CORTEX_HOME", "")
	t.Setenv("HOME", "")
	if dir := Dir(); !filepath.IsAbs(dir) || filepath.Base(dir) != ".cortex" {
		t.Errorf("got %q", dir)
	}
}
