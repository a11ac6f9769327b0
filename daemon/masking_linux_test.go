package daemon_test

import (
	"os"
	"strings"
	"testing"
)

func TestRunMasks(t *testing.T) {
	h := newHost(t)
	h.vault.secrets["PORT"], h.vault.secrets["MODE"] = "8080", "production"
	h.write(".env", "OPENAI_API_KEY=\nOTHER_KEY=\nPORT=\nMODE=\n")
	h.start()
	warning := "cortex: warning: too short or too common to be masked: MODE, PORT\n"
	h.run("sh", "-c", `echo "$OPENAI_API_KEY $PORT $MODE"; echo "$OTHER_KEY" | base64 >&2`).
		want(0, marker+" 8080 production\n", warning, "‹cortex:OTHER_KEY›")
	// It is said once.
	if r := h.run("sh", "-c", `echo "$OTHER_KEY"`); r.stdout != "‹cortex:OTHER_KEY›\n" || r.stderr != "" {
		t.Errorf("%+v", r)
	}
	// A value that the program has from elsewhere is its own affair.
	cmd := h.launcher("--", "sh", "-c", `printf '%s\n' "$GREETING"; cat`)
	cmd.Env = append(cmd.Env, "GREETING=sk-canaries")
	cmd.Stdin = strings.NewReader("sk-canar")
	h.finish(cmd).want(0, "sk-canaries\nsk-canar")
}

func TestRunNoMask(t *testing.T) {
	h := newHost(t)
	h.start()
	plain := func() result { return h.finish(h.launcher("--no-mask", "--", "printenv", "OPENAI_API_KEY")) }
	plain().want(1, "", "cortex: project app: what its commands print is always masked\n", "hint: ", "cortex project settings app --masking optional")
	h.vault.do(func() {
		h.vault.masking = "optional"
		clear(h.vault.tokens) // it counts from the next token on
	})
	plain().want(0, "sk-canary\n")
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
	cmd := h.launcher("--", "printenv", "OPENAI_API_KEY")
	cmd.Env = append(cmd.Env, "CORTEX_NO_MASK=1")
	h.finish(cmd).want(0, "sk-canary\n")
	h.vault.do(func() {
		h.vault.masking = "something newer"
		clear(h.vault.tokens)
	})
	plain().want(1, "", "always masked")
}

// What could not be written is an error, however the program took it.
func TestRunFull(t *testing.T) {
	h := newHost(t)
	h.start()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var stderr strings.Builder
	cmd := h.launcher("--", "echo", "text")
	cmd.Stdout, cmd.Stderr = full, &stderr
	cmd.Run()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "passing on what the program printed: no space left on device") {
		t.Errorf("%v %q", cmd.ProcessState, stderr.String())
	}
}

func (h *host) redact(text string, args ...string) result {
	h.t.Helper()
	cmd := h.launcher(args...)
	cmd.Args[1], cmd.Stdin = "redact", strings.NewReader(text)
	return h.finish(cmd)
}

func TestRedact(t *testing.T) {
	h := newHost(t)
	h.start()
	h.redact("sk-canary").want(1, "", "project app has not been run since the daemon was started\n", "hint: cortex run --project app -- true")
	h.run("true").want(0, "")
	h.redact("a sk-canary\nb other-canary\n").want(0, "a "+marker+"\nb other-canary\n")
	h.vault.wantCalls(1, 1, 2) // each text is a fetch, on the record
	h.write("other.env", "OTHER_KEY=")
	h.finish(h.launcher("--env-file", "other.env", "--", "true")).want(0, "")
	h.redact("a sk-canary\nb other-canary\n").want(0, "a "+marker+"\nb ‹cortex:OTHER_KEY›\n")
	h.redact("x", "--url", "http://127.0.0.1:1").want(1, "", "enrolled at")
}

// A mask answers guesses, so it is not asked without end.
func TestRedactTooOften(t *testing.T) {
	h := newHost(t)
	h.start()
	h.run("true").want(0, "")
	for range 20 {
		h.redact("sk-canary").want(0, marker)
	}
	h.redact("sk-canary").want(1, "", "project app: too many texts to redact\n", "hint: try again in ")
	h.run("true").want(0, "")
}
