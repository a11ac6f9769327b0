package redteam

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// What an agent asks for, and goes on with.
var askMoves = map[string]hostMove{
	"more-variables":       moreVariables,
	"other-spelling":       otherSpelling,
	"others-project":       othersProject,
	"occupied-project":     occupiedProject,
	"deleted-grant":        deletedGrant,
	"secret-made-anew":     madeAnew,
	"example-names":        exampleNames,
	"example-honey":        exampleHoney,
	"allow-typed":          allowTyped,
	"fetch-after-freeze":   fetchAfterFreeze,
	"run-after-freeze":     runAfterFreeze,
	"run-after-freeze-end": runAfterFreezeEnd,
	"freeze-late-setting":  freezeLateSetting,
	"freeze-forgotten":     freezeForgotten,
}

// owned returns a project with an approved secret.
func (h *host) owned(t *testing.T) (project, variable, id, value string) {
	t.Helper()
	project = named("app")
	variable, id, value = h.secret(t)
	h.run(t, h.alice, project, variable, "true")
	if got := h.gets(t, h.alice, project, variable); got != value {
		t.Fatalf("nothing is delivered to begin with: %q", got)
	}
	return project, variable, id, value
}

func moreVariables(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	more, _, another := h.secret(t)
	if got := h.gets(t, h.alice, project, more); got == another {
		return open
	}
	if h.gets(t, h.alice, project, variable) != value {
		t.Error("what was approved before does not work any more")
	}
	h.run(t, h.alice, project, more, "true")
	if h.gets(t, h.alice, project, more) != another {
		t.Fatal("it does not get it with an approval either")
	}
	return stopped
}

func otherSpelling(t *testing.T, h *host) outcome {
	project, variable, _, _ := h.owned(t)
	more, id, another := h.secret(t)
	var secret struct {
		Path string `json:"key_path"`
	}
	h.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, &secret)
	for _, name := range []string{strings.ToLower(more), more[:1] + strings.ToLower(more[1:]), secret.Path, variable + "_" + more, more + "_"} {
		cmd := h.launcher(t, h.alice, project, name, "sh", "-c", `printenv | tr a-zA-Z n-za-mN-ZA-M`)
		if strings.Contains(untold(finish(t, cmd).stdout), another) {
			t.Logf("as %s", name)
			return open
		}
	}
	h.run(t, h.alice, project, more, "true")
	if h.gets(t, h.alice, project, more) != another {
		t.Fatal("it does not get it with an approval either")
	}
	return stopped
}

func othersProject(t *testing.T, h *host) outcome {
	other, project := h.site.agent(t), named("app")
	variable, _, value := h.secret(t)
	other.Obtain(t, project, variable)
	r := h.run(t, h.alice, project, variable, told(variable)...)
	if untold(r.stdout) == value {
		return open
	}
	t.Log(r.stderr)
	rows := h.trail(t, "discover")
	if !slices.ContainsFunc(rows, func(r record) bool { return r.AgentID == h.agent && r.Project == project && r.Status != "success" }) {
		t.Error("the refusal is not on record")
	}
	return stopped
}

func occupiedProject(t *testing.T, h *host) outcome {
	project := named("app")
	if r := finish(t, h.launcher(t, h.alice, project, "NO_SUCH_"+strings.ToUpper(rename(project)), "true")); r.status != 0 {
		t.Log(r.stderr)
	}
	other := h.site.agent(t)
	variable, _, value := h.secret(t)
	got := other.Obtain(t, project, variable)
	return unless(!fetched(t, other, project, got.Token, value), stopped)
}

func rename(name string) string { return strings.ReplaceAll(name, "-", "_") }

func deletedGrant(t *testing.T, h *host) outcome {
	project, variable, id, value := h.owned(t)
	var grants []struct{ ID string }
	h.Admin(t, http.MethodGet, "/admin/projects/"+project+"/grants", nil, &grants)
	for _, g := range grants {
		h.Admin(t, http.MethodDelete, "/admin/projects/"+project+"/grants/"+g.ID, nil, nil)
	}
	if h.gets(t, h.alice, project, variable) == value {
		return open
	}
	h.Grant(t, project, id)
	return unless(h.gets(t, h.alice, project, variable) == value, stopped)
}

func madeAnew(t *testing.T, h *host) outcome {
	project, variable, id, _ := h.owned(t)
	h.Admin(t, http.MethodDelete, "/admin/secrets/"+id, nil, nil)
	value := canary()
	h.Secret(t, strings.ToLower(variable), value)
	if h.gets(t, h.alice, project, variable) == value {
		return open
	}
	h.run(t, h.alice, project, variable, "true")
	if h.gets(t, h.alice, project, variable) != value {
		t.Fatal("it does not get it with an approval either")
	}
	return stopped
}

// repository makes a directory with files, as somebody else's code brings them.
func (h *host) repository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(h.work(h.alice), named("repository"))
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, h.alice.uid, h.alice.uid)); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// typed is what alice types in a directory.
func (h *host) typed(t *testing.T, dir string, args ...string) result {
	t.Helper()
	cmd := h.cortex(t, h.alice, args...)
	cmd.Dir = dir
	return finish(t, cmd)
}

func exampleNames(t *testing.T, h *host) outcome {
	project, _, _, _ := h.owned(t)
	more, _, value := h.secret(t)
	dir := h.repository(t, map[string]string{".env.example": more + "=\n"})
	command := append([]string{"run", "--project", project, "--"}, told(more)...)
	r := h.typed(t, dir, command...)
	if untold(r.stdout) == value {
		return open
	}
	grant := e2e.GrantID.FindString(r.stderr)
	if grant == "" {
		// A token there is goes on with what was approved; the name waits.
		for _, w := range requests(t, h.Server, project) {
			if slices.Contains(w.Requested, more) {
				grant = w.ID
			}
		}
	}
	h.Admin(t, http.MethodPost, "/admin/pending-grants/"+grant+"/approve", object{}, nil)
	if r := h.typed(t, dir, command...); untold(r.stdout) != value {
		t.Fatalf("it does not get it with an approval either: %+v", r)
	}
	return stopped
}

func exampleHoney(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	path := rename(named("bait"))
	bait := canary()
	h.SecretWith(t, object{"key_path": path, "secret_type": "KEY_VALUE", "value": bait, "is_honey_token": true})
	dir := h.repository(t, map[string]string{".env.example": strings.ToUpper(path) + "=\n" + variable + "=\n"})
	r := h.typed(t, dir, append([]string{"run", "--project", project, "--"}, told(strings.ToUpper(path))...)...)
	if untold(r.stdout) == bait {
		return open
	}
	if !slices.Contains(alarmsOf(t, h.site), "honey_token_access") {
		return stopped
	}
	if h.gets(t, h.alice, project, variable) != value {
		t.Error("something else happened to the agent, too")
	}
	return alarm
}

func allowTyped(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	dir := h.repository(t, map[string]string{".cortex.toml": fmt.Sprintf("project = %q\nnames = [%q]\n", project, variable)})
	command := append([]string{"run", "--"}, told(variable)...)
	if r := h.typed(t, dir, command...); r.status == 0 {
		t.Fatalf("it counts before somebody allowed it: %+v", r)
	}
	if r := h.typed(t, dir, "allow"); r.status != 0 {
		t.Log(r.stderr)
		return stopped
	}
	return unless(untold(h.typed(t, dir, command...).stdout) == value, stopped)
}
