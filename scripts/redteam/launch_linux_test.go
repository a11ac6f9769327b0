package redteam

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// launcher returns a run of a command with a variable of a project.
func (h *host) launcher(t *testing.T, who somebody, project, variable string, command ...string) *exec.Cmd {
	t.Helper()
	args := []string{"run", "--project", project, "--env-file", h.names(t, who, variable), "--"}
	return h.cortex(t, who, append(args, command...)...)
}

// names returns a file with the name of a variable.
func (h *host) names(t *testing.T, who somebody, variable string) string {
	t.Helper()
	path := filepath.Join(h.work(who), named("names"))
	if err := errors.Join(os.WriteFile(path, []byte(variable+"=\n"), 0o644), os.Chown(path, who.uid, who.uid)); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a command with a variable of a project, which is approved if that waits.
func (h *host) run(t *testing.T, who somebody, project, variable string, command ...string) result {
	t.Helper()
	return h.approved(t, func() *exec.Cmd { return h.launcher(t, who, project, variable, command...) })
}

// approved runs what may have to be approved, and then is.
func (h *host) approved(t *testing.T, run func() *exec.Cmd) result {
	t.Helper()
	r := finish(t, run())
	if grant := e2e.GrantID.FindString(r.stderr); r.status != 0 && grant != "" {
		h.Admin(t, http.MethodPost, "/admin/pending-grants/"+grant+"/approve", object{}, nil)
		r = finish(t, run())
	}
	return r
}

// told is a shell's way to print a variable so that no mask sees it.
func told(variable string) []string {
	return []string{"sh", "-c", `printenv "$1" | tr a-zA-Z n-za-mN-ZA-M`, "sh", variable}
}

// untold undoes it.
func untold(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case 'A' <= r && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, strings.TrimSpace(text))
}

// gets returns the value of a variable that a command gets, "" if there is none.
func (h *host) gets(t *testing.T, who somebody, project, variable string) string {
	t.Helper()
	return untold(finish(t, h.launcher(t, who, project, variable, told(variable)...)).stdout)
}
