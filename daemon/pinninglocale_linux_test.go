package daemon_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/server/api"
)

// A translation is looked for by the name of a locale, and bash expands it.
func TestPinnedLocale(t *testing.T) {
	h := newPinned(t, "")
	if err := os.MkdirAll(filepath.Join(h.work, "evil/LC_MESSAGES"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.write("evil/LC_MESSAGES/app.mo", translations(t, "Deploying", "evil has $(printf %s $OPENAI_API_KEY)"))
	h.write("deploy", "TEXTDOMAIN=app\necho $\"Deploying\"\n")
	h.start()
	launch := func() *exec.Cmd {
		cmd := h.launcher("--", "bash", "deploy")
		cmd.Env = append(slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "LC_") }), "LC_ALL=C.UTF-8", "LANGUAGE=../../.."+h.work+"/evil")
		return cmd
	}
	if r := h.finish(launch()); r.stdout != "evil has "+marker+"\n" {
		need.Unmet(t, "this bash translates nothing: ", r.stdout)
	}
	h.vault.do(func() { h.vault.commands = api.CommandsEnforce })
	h.finish(launch()).want(1, "", notApproved)
	h.approve()
	h.finish(launch()).want(0, "Deploying\n", "it runs without", "LANGUAGE")
}

// translations returns a file of one, as gettext(3) reads it.
func translations(t *testing.T, from, to string) string {
	t.Helper()
	const head = "Content-Type: text/plain; charset=UTF-8\n"
	texts := []string{"", from, head, to}
	at := uint32(28 + 8*len(texts))
	file := []byte("\xde\x12\x04\x95")
	for _, n := range []uint32{0, 2, 28, 28 + 16, 0, 0} {
		file = binary.LittleEndian.AppendUint32(file, n)
	}
	for _, text := range texts {
		file = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(file, uint32(len(text))), at)
		at += uint32(len(text)) + 1
	}
	return string(file) + strings.Join(texts, "\x00") + "\x00"
}
