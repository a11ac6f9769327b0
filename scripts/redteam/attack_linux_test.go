package redteam

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client/attack"
)

// What is made against a daemon of the user who calls, and against one with users
// of its own.
var (
	personalMoves = []moves{attacks(personalHost, personalReport), on(personalHost, hostMoves...)}
	isolatedMoves = []moves{attacks(isolatedHost, isolatedReport), on(isolatedHost, hostMoves...)}

	hostMoves = []map[string]hostMove{strangers, valueMoves, templateMoves, askMoves, sshMoves, processMoves, busyMoves, pinMoves, otherPinMoves, betweenMoves, raisedMoves, stolenMoves, furtherMoves, copyMoves, heldMoves, floodMoves, unreadMoves, requestMoves}
)

// Only root can be another user as well, and read what others write meanwhile; an SSH agent
// answers to its command alone; and a host has no administrator who approves commands. So
// these are made otherwise here.
var (
	byOthers = append([]string{"socket", "others-daemon", "ssh-other-signature", "ssh-agent-keys", "files-left-behind"}, onPins...)
	onPins   = []string{"other-command", "other-directory", "other-program", "loading-variables"}
)

// attacks are the moves that cortex doctor --attack tries, all at once.
func attacks(h func() *host, report func() attack.Report) moves {
	m := moves{}
	for _, move := range attack.Moves() {
		if slices.Contains(byOthers, move.ID) {
			continue
		}
		m[move.ID] = func(t *testing.T) outcome {
			for _, r := range report().Results {
				if r.ID == move.ID {
					t.Logf("%s: %s", r.Tries, r.Evidence)
					if r.Outcome == "" {
						t.Fatal("it was not tried")
					}
					return outcome(r.Outcome)
				}
			}
			t.Fatal("it was not tried")
			return ""
		}
	}
	return m
}

var (
	personalReport = once(func() attack.Report { return attacked(stage, personalHost()) })
	isolatedReport = once(func() attack.Report { return attacked(stage, isolatedHost()) })
)

// attacked has alice attack her host, on which a command has an SSH agent.
func attacked(t *testing.T, h *host) (report attack.Report) {
	t.Helper()
	defer h.withAgent(t)()
	g := h.guarded(t)
	g.mode(t, "enforce")
	command := []string{"sleep", "1000"}
	asked := finish(t, g.cmd(t, try{command: command}))
	g.allow(t, pinID.FindStringSubmatch(asked.stderr)[1])
	cmd := h.cortex(t, h.alice, append([]string{"doctor", "--attack", "--json", "--project", g.project, "--"}, command...)...)
	cmd.Dir = g.dir
	r := finish(t, cmd)
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || len(report.Results) < 30 {
		t.Fatalf("%v: %+v", err, r)
	}
	if want := string(h.in); report.Install != want || report.Root || report.Target != "the command that was named" {
		t.Errorf("attacked %+v, want %s", report, want)
	}
	if (r.status == 0) != report.OK() {
		t.Errorf("exit status %d", r.status)
	}
	for _, m := range report.Results {
		if slices.Contains(onPins, m.ID) {
			t.Logf("%s: %s", m.ID, m.Evidence)
			if m.Outcome != attack.Stopped || m.ID == "other-command" && !strings.Contains(m.Evidence, "one more argument") {
				t.Errorf("%+v", m)
			}
		}
	}
	return report
}

// withAgent starts a command with an SSH agent, until the function is called.
func (h *host) withAgent(t *testing.T) (end func()) {
	t.Helper()
	h.sshHost(t)
	cmd := h.withSSH(t, "sh", "-c", "echo up; exec sleep 1000")
	begun(t, cmd)
	return func() {
		cmd.Process.Signal(unix.SIGTERM)
		cmd.Wait()
	}
}

const sshVariable = "DEPLOY_KEY"

// sshKey keeps an SSH key for the host's project, with a host that it logs in to.
func (h *host) sshKey(t *testing.T) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	hosts := "listed.example " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	cmd := exec.Command(filepath.Join(bin, "cortex"), "secret", "create", strings.ToLower(sshVariable), "--type", "SSH_KEY", "--generate", "ed25519-ssh", "--known-hosts", "/dev/stdin")
	cmd.Env, cmd.Dir, cmd.Stdin = append(h.env, "CORTEX_URL="+h.URL), h.site.dir, strings.NewReader(hosts+"\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.approved(t, func() *exec.Cmd { return h.withSSH(t, "true") })
	return signer
}

// What is tried there is what stands in the table.
func TestAttackIsOfTheTable(t *testing.T) {
	rows := table(t)
	for _, m := range attack.Moves() {
		i := slices.IndexFunc(rows, func(r row) bool { return r.id == m.ID })
		if i < 0 {
			t.Errorf("%s is no row", m.ID)
			continue
		}
		if r := rows[i]; string(r.want[personal]) != string(m.Personal) || string(r.want[isolated]) != string(m.Isolated) || !slices.Contains(r.who, m.Position) {
			t.Errorf("%s: %s %s %s, the table has %q %v", m.ID, m.Position, m.Personal, m.Isolated, r.who, r.want)
		}
	}
}
