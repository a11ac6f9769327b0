package blackbox

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A life is that of older clients on one host, with a project that needs two
// secrets.
type life struct {
	oldCLI
	agentID, app, key, db string
	daemon                *oldDaemon
}

// begin has a key made on the host, which the administrator registers, and two
// secrets kept under paths that read like the variables of the project.
func (v *vault) begin() *life {
	v.t.Helper()
	l := &life{oldCLI: oldCLI{v, shortDir(v.t)}, agentID: v.named("bot"), app: v.named("app"), key: v.named("openai_api_key"), db: v.named("db/password")}
	v.admin("POST", "/admin/agents", object{"agent_id": l.agentID, "agent_pub": l.genKey(l.agentID)}).want(http.StatusCreated)
	v.keep(l.key, "sk-1")
	v.keep(l.db, "hunter22")
	return l
}

// env names both secrets, in a file as people have them.
func (l *life) env() string {
	return "# keys\n" + strings.ToUpper(l.key) + "=sk-of-a-developer\n\n" + strings.ToUpper(strings.ReplaceAll(l.db, "/", "_")) + "=\n"
}

// logIn logs the host in; somebody approves it before a poll.
func (l *life) logIn(approvedAt int) {
	l.v.t.Helper()
	err := l.login(func(poll int, userCode string) {
		if poll == approvedAt {
			l.v.admin("POST", "/admin/web/device/approve", object{"user_code": userCode, "agent_id": l.agentID}).want(http.StatusOK)
		}
	})
	if err != nil {
		l.v.t.Fatalf("login: %v", err)
	}
}

// restart begins a new process of the daemon.
func (l *life) restart() {
	l.v.t.Helper()
	var err error
	if l.daemon, err = l.start(); err != nil {
		l.v.t.Fatalf("attest: %v", err)
	}
}

// runs fails the test unless a program gets the first secret with this value,
// and the second.
func (l *life) runs(value string) {
	l.v.t.Helper()
	got, err := l.daemon.run(l.app, l.env())
	if err != nil || !slices.Equal(slices.Sorted(maps.Values(got)), slices.Sorted(slices.Values([]string{value, "hunter22"}))) {
		l.v.t.Fatalf("%v, %v", got, err)
	}
}

// waits fails the test unless a run waits for approval, and returns for which.
func (l *life) waits() string {
	l.v.t.Helper()
	_, err := l.daemon.run(l.app, l.env())
	w, ok := errors.AsType[waiting](err)
	if !ok || len(w.keys) != 2 || w.grantID == "" {
		l.v.t.Fatalf("%v", err)
	}
	return w.grantID
}

// fails fails the test unless a run fails with a text.
func (l *life) fails(text string) {
	l.v.t.Helper()
	if got, err := l.daemon.run(l.app, l.env()); err == nil || !strings.Contains(err.Error(), text) {
		l.v.t.Fatalf("%v, %v, want %s", got, err, text)
	}
}

func (l *life) revoke() {
	l.v.t.Helper()
	l.v.admin("POST", "/admin/projects/"+l.app+"/revoke", nil).want(http.StatusOK)
}

// A host is enrolled, waits for approval, runs, and renews what was revoked.
func TestOldDaemon(t *testing.T) {
	each(t, func(v *vault) {
		l := v.begin()
		l.logIn(1)
		l.restart()
		if id := l.waits(); id != l.waits() {
			v.t.Error("two requests for one")
		} else {
			v.approve(id)
		}
		l.runs("sk-1")
		row := v.audited("get_secrets", l.app)
		has(v.t, row, object{"caller_pid": os.Getpid(), "caller_cwd": "/home/dev", "hostname": "old-host", "os": "linux/x86_64"})
		l.revoke()
		l.runs("sk-1")
		l.restart()
		l.runs("sk-1")
	})
}

// Six weeks with a daemon that is hardly ever restarted.
func TestOldDaemonForWeeks(t *testing.T) {
	inTime(t, func(v *vault) {
		l := v.begin()
		l.logIn(9) // 45 s after the code was shown
		l.restart()
		v.approve(l.waits())
		for range 13 {
			l.runs("sk-1")
			time.Sleep(day)
		}
		secret := v.admin("GET", "/admin/secrets", nil).find("key_path", l.key)["id"].(string)
		v.admin("PUT", "/admin/secrets/"+secret, object{"value": "sk-2"}).want(http.StatusOK)
		l.runs("sk-2")
		time.Sleep(day + time.Hour) // the token is over
		l.runs("sk-2")
		l.revoke()
		l.runs("sk-2")
		time.Sleep(14 * day)
		l.runs("sk-2")
		time.Sleep(2 * day) // the login is over, and the approval
		if !v.attested {
			l.runs("sk-2")
			return
		}
		l.fails("401") // and it threw its token away
		l.logIn(1)
		l.restart()
		v.approve(l.waits())
		l.runs("sk-2")
	})
}

// A daemon that lost its tokens with their file cannot say so. One that is new
// has lost them; where nobody can tell, it has to be helped.
func TestOldDaemonWithoutItsCache(t *testing.T) {
	inTime(t, func(v *vault) {
		l := v.begin()
		l.logIn(1)
		l.restart()
		v.approve(l.waits())
		l.runs("sk-1")
		if err := os.Remove(l.file("daemon-projects.json")); err != nil {
			v.t.Fatal(err)
		}
		time.Sleep(time.Minute)
		l.restart()
		if !v.attested {
			l.fails("409")
			l.revoke()
		}
		l.runs("sk-1")
	})
}

// What is cut off stays so, whatever the daemon tries by itself.
func TestOldDaemonIsCutOff(t *testing.T) {
	for name, cut := range map[string]func(v *vault, l *life){
		"agent": func(v *vault, l *life) { v.admin("DELETE", "/admin/agents/"+l.agentID, nil).want(http.StatusOK) },
		"freeze": func(v *vault, l *life) {
			v.admin("POST", "/admin/freeze", object{"kind": "agent", "name": l.agentID}).want(http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(v *vault) {
				l := v.begin()
				l.logIn(1)
				l.restart()
				v.approve(l.waits())
				l.runs("sk-1")
				cut(v, l)
				l.fails("401")
				l.fails("401")
				if _, err := l.start(); err == nil || !strings.Contains(err.Error(), "401") {
					v.t.Errorf("attest: %v", err)
				}
			})
		})
	}
}

// The older command line asks without a daemon: a server that wants
// attestations refuses, another gives a token.
func TestOldDiscover(t *testing.T) {
	inTime(t, func(v *vault) {
		l := v.begin()
		_, err := l.discover(l.app, l.agentID, l.env(), false)
		if v.attested {
			if err == nil || !strings.HasPrefix(err.Error(), "401: ") {
				v.t.Errorf("%v", err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), `"error_code":"pending_approval"`) {
			v.t.Fatalf("%v", err)
		}
		v.approve(v.pending(l.app))
		first, err := l.discover(l.app, l.agentID, l.env(), false)
		if err != nil || len(first) != 64 {
			v.t.Fatalf("%q, %v", first, err)
		}
		if _, err := l.discover(l.app, l.agentID, l.env(), false); err == nil || !strings.HasPrefix(err.Error(), "409: ") {
			v.t.Errorf("%v", err)
		}
		second, err := l.discover(l.app, l.agentID, l.env(), true)
		if err != nil || second == first {
			v.t.Errorf("%q, %v", second, err)
		}
		values := v.send("GET", "/project/secrets/"+l.app, nil, "Authorization: Bearer "+second).want(http.StatusOK).object()["env_vars"].(object)
		has(v.t, values, object{strings.ToUpper(l.key): "sk-1"})
	})
}
