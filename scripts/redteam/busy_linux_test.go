package redteam

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What is tried to keep others from the daemon, and to be taken for another process.
var busyMoves = map[string]hostMove{
	"idle-connections": idleConnections,
	"all-places":       allPlaces,
	"all-runners":      allRunners,
	"reload-flood":     reloadFlood,
	"reused-pid":       reusedPID,
	"swapped-program":  swappedProgram,
}

// rival is who keeps others from the daemon: another process of alice, or another
// member of the group.
func (h *host) rival() somebody {
	if h.in == isolated {
		return h.grace
	}
	return h.alice
}

func idleConnections(t *testing.T, h *host) outcome {
	cmd := h.tool(t, h.rival(), "hold", h.sock, "600") // more than may wait
	in, out := pipes(t, cmd)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("%q, %v", line, err)
	}
	got := h.gets(t, h.alice, h.project, h.variable)
	in.Close()
	cmd.Wait()
	return unless(got != h.value, stopped)
}

// pipes starts a command, and returns its standard input and output.
func pipes(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, io.Reader) {
	t.Helper()
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	return in, out
}

// take has the rival run as many commands as he can, up to n, until the function is
// called.
func (h *host) take(t *testing.T, n int) (taken int, free func()) {
	t.Helper()
	var all []func()
	free = func() {
		for _, end := range all {
			end()
		}
	}
	for range n {
		cmd := h.launcher(t, h.rival(), h.project, h.variable, "sh", "-c", "echo up; read line")
		in, out := pipes(t, cmd)
		_, err := io.ReadFull(out, make([]byte, 3))
		all = append(all, func() {
			in.Close()
			cmd.Wait()
		})
		if err != nil {
			break
		}
		taken++
	}
	return taken, free
}

// As many commands as the daemon has places for.
func allPlaces(t *testing.T, h *host) outcome {
	h.daemon.Kill()
	h.start(t, "--max-connections", "4")
	defer h.again(t)
	taken, free := h.take(t, 5)
	defer free()
	if status := finish(t, h.cortex(t, h.alice, "doctor", "--inside", "connect", h.sock)); status.status != 0 {
		t.Errorf("it does not say how it is: %+v", status)
	}
	switch got := h.gets(t, h.alice, h.project, h.variable); {
	case got != h.value:
		return open
	case taken == 5:
		t.Fatal("there is no limit")
	case taken > 0:
		return limited
	}
	return stopped
}

// A command as each of the users that commands have.
func allRunners(t *testing.T, h *host) outcome {
	if len(h.spawners) == 0 {
		return stopped // there are none
	}
	taken, free := h.take(t, len(h.spawners))
	defer free()
	r := h.run(t, h.alice, h.project, h.variable, told(h.variable)...)
	t.Logf("%d of %d are taken: %s", taken, len(h.spawners), r.stderr)
	switch {
	case untold(r.stdout) != h.value:
		return open
	case taken < len(h.spawners):
		return limited
	}
	return stopped
}

func reloadFlood(t *testing.T, h *host) outcome {
	sessions := func() int { return len(h.trail(t, "daemon_attest")) }
	before := sessions()
	h.restart(t)
	if sessions() == before {
		t.Fatal("a session that is opened is not on record")
	}
	before = sessions()
	for range 20 {
		cmd := h.tool(t, h.rival(), "say", h.sock)
		cmd.Stdin = strings.NewReader(`{"cmd":"reload"}` + "\n")
		if r := finish(t, cmd); !strings.Contains(r.stdout, `"ok":true`) {
			t.Fatalf("%+v", r)
		}
	}
	return unless(sessions() > before, stopped)
}

// A client of the form of older launchers, whose surroundings the daemon looks at, dies
// before its request is complete, and another process gets its id.
func reusedPID(t *testing.T, h *host) outcome {
	request := fmt.Sprintf(`{"cmd":"run","program":"true","project":%q,"env_file":%q}`, h.project, h.names(t, h.alice, h.variable))
	ask := func(die bool) (answer string, asked bool) {
		heir := h.tool(t, h.alice, "bequeath", h.sock, request)
		in, out := pipes(t, heir)
		r := bufio.NewReader(out)
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		pid := pidOf(t, line)
		if die {
			unix.Kill(pid, unix.SIGKILL)
			heir.Process.Wait()
			end, ok := h.impersonate(t, pid)
			if !ok {
				in.Close()
				return "", false
			}
			defer end()
			if _, err := fmt.Fprintln(in); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Logf("telling the heir: %v", err)
			}
		} else {
			fmt.Fprintln(in)
		}
		text, _ := io.ReadAll(r)
		in.Close()
		return string(text), true
	}
	if answer, _ := ask(false); h.in == personal && !strings.Contains(answer, `"ok":true`) {
		t.Fatalf("it does not work with a process that lives either: %s", answer)
	}
	answer, asked := ask(true)
	for range 20 {
		if !asked {
			answer, asked = ask(true)
		}
	}
	if !asked {
		t.Fatal("nobody gets the process id of another one")
	}
	t.Log(answer)
	return unless(strings.Contains(answer, `"ok":true`), stopped)
}

// impersonate starts a process with an id that was another's, until the function is
// called, unless somebody else has got it meanwhile.
func (h *host) impersonate(t *testing.T, pid int) (end func(), ok bool) {
	t.Helper()
	for range 50 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			t.Fatal(err)
		}
		cmd := h.as(t.Context(), h.alice, "sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		end := func() {
			cmd.Process.Kill()
			cmd.Wait()
		}
		if cmd.Process.Pid == pid {
			return end, true
		}
		end()
	}
	return nil, false
}

// The program of a daemon that was let in is another one afterwards.
func swappedProgram(t *testing.T, h *host) outcome {
	dir := open777(t)
	program, mark := filepath.Join(dir, "cortex-daemon"), filepath.Join(dir, "mark")
	if h.in == personal {
		if r := finish(t, h.as(t.Context(), h.alice, "cp", filepath.Join(bin, "cortex"), program)); r.status != 0 {
			t.Fatalf("%+v", r)
		}
	} else {
		program = filepath.Join(bin, "cortex")
	}
	h.daemon.Kill()
	h.program = program
	h.start(t)
	defer func() {
		h.program = ""
		h.again(t)
	}()
	swap := `printf '#!/bin/sh\ntouch "%s"\n' "$2" > "$1.new" && chmod 755 "$1.new" && mv "$1.new" "$1"`
	if r := finish(t, h.as(t.Context(), h.alice, "sh", "-c", swap, "sh", program, mark)); r.status != 0 {
		t.Log(r.stderr)
		return stopped
	}
	for range 2 { // with the monitor that is ready, and another one
		if got := h.gets(t, h.alice, h.project, h.variable); got != h.value {
			t.Errorf("got %q", got)
		}
	}
	_, err := os.Stat(mark)
	return unless(err == nil, stopped)
}
