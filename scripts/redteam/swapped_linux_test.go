package redteam

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A program, and a script, that is another one when somebody has approved what it was
// when it was looked at.
func swappedCommand(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.mode(t, "enforce")
	for _, command := range [][]string{{"./prog"}, {"sh", "prog"}} {
		for _, swap := range []bool{false, true} {
			g.write(t, "prog", "#!/bin/sh\n"+g.saying("good"))
			y := try{flags: []string{"--json", "--wait=1h"}, command: command}
			if swap {
				y.command = append(command[:len(command):len(command)], "swapped")
			}
			r := g.decided(t, y, func() {
				if swap {
					g.write(t, "prog", "#!/bin/sh\n"+g.saying("evil"))
				}
			})
			switch {
			case !swap && !(g.has(r) && said(r, "good")):
				t.Fatalf("what was approved does not get its value: %+v", r)
			case swap && r.stdout != "":
				t.Logf("%q: %+v", command, r)
				return open
			}
		}
	}
	return stopped
}

// decided runs what waits for an approval, and approves it after something was done
// meanwhile. What waits for another one then is ended.
func (g *guarded) decided(t *testing.T, y try, meanwhile func()) result {
	t.Helper()
	cmd := g.cmd(t, y)
	var out bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	asked := ""
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		var e struct {
			Event string
			PinID string `json:"pin_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		switch {
		case e.Event == "not_pinned" && asked != "" && e.PinID != asked:
			t.Logf("%s", lines.Bytes())
			cmd.Process.Signal(unix.SIGTERM)
		case e.Event == "not_pinned":
			asked = e.PinID
		case e.Event == "waiting" && meanwhile != nil:
			meanwhile()
			meanwhile = nil
			g.allow(t, asked)
		}
	}
	cmd.Wait()
	if asked == "" || meanwhile != nil {
		t.Fatalf("it did not wait: %s", &out)
	}
	return result{stdout: out.String(), status: cmd.ProcessState.ExitCode()}
}

// A script of which its interpreter has read the beginning.
func changedWhileRead(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	r := g.changedWhileRead(t, object{})
	g.weak(t, "file:0")
	return unless(said(r, "evil"), stopped)
}

// changedWhileRead has the script approved in some way, and returns what its run says.
func (g *guarded) changedWhileRead(t *testing.T, how object) result {
	t.Helper()
	const beginning = "echo begun\ncat\n"
	g.write(t, "good.sh", beginning+g.saying("good"))
	g.mode(t, "enforce")
	command := []string{"bash", "good.sh"}
	g.approveAs(t, how, command...)
	cmd := g.cmd(t, try{command: command})
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	// What was sent comes back, so that the shell waits for cat.
	io.WriteString(stdin, "cat\n")
	for _, want := range []string{"begun\n", "cat\n"} {
		if line, err := out.ReadString('\n'); line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if err := os.WriteFile(filepath.Join(g.dir, "good.sh"), []byte(beginning+g.saying("evil")), 0o755); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	r := result{stdout: string(rest)}
	if !g.has(r) {
		t.Fatalf("nothing is printed: %+v", r)
	}
	return r
}
