package install

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// manages puts a systemctl in place of the system's that shows a unit for each name.
func manages(t *testing.T, units map[string]string) {
	t.Helper()
	script := "case \"$*\" in *is-system-running) echo running;;\n"
	for name, properties := range units {
		script += "*show*" + name + ") cat <<'END'\n" + properties + "\nEND\n;;\n"
	}
	supervised(t, script+"*) echo LoadState=not-found;;\nesac")
}

const healthy = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\nExecStart={ path=/usr/bin/env ; argv[]=cortex-daemon ; ignore_errors=no }"

func TestInspect(t *testing.T) {
	changeable := filepath.Join(t.TempDir(), "cortex")
	if err := errors.Join(os.WriteFile(changeable, nil, 0o755), os.Chmod(changeable, 0o777)); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		unit string
		want []string // what, or a part of what is to be done
	}{
		"well":      {healthy, nil},
		"starting":  {strings.Replace(healthy, "=active", "=activating", 1), nil},
		"failed":    {strings.Replace(healthy, "=active", "=failed", 1), []string{"cortex-daemon.service is failed", "systemctl --user restart cortex-daemon.service"}},
		"masked":    {strings.Replace(healthy, "=loaded", "=masked", 1), []string{"cortex-daemon.service is masked", "cortex install daemon --personal"}},
		"disabled":  {strings.Replace(healthy, "=enabled", "=disabled", 1), []string{"is disabled", "systemctl --user enable cortex-daemon.service"}},
		"changed":   {strings.Replace(healthy, "=no\n", "=yes\n", 1), []string{"was changed", "systemctl --user daemon-reload, and systemctl --user restart"}},
		"gone":      {strings.Replace(healthy, "/usr/bin/env", "/no/such", 1), []string{"starts /no/such, which is not there", "cortex install daemon --personal"}},
		"open":      {strings.Replace(healthy, "/usr/bin/env", changeable, 1), []string{"others can change the program", "sudo install cortex /usr/local/bin/"}},
		"two of it": {strings.NewReplacer("=active", "=failed", "=enabled", "=disabled").Replace(healthy), []string{"is failed", "is disabled"}},
	} {
		manages(t, map[string]string{Service: row.unit})
		defects, err := Inspect(t.Context(), false)
		if err != nil || len(row.want) == 0 && len(defects) > 0 {
			t.Errorf("%s: %+v, %v", name, defects, err)
		}
		for _, text := range row.want {
			if !slices.ContainsFunc(defects, func(d Defect) bool { return strings.Contains(d.What+d.Fix, text) && d.Fix != "" }) {
				t.Errorf("%s: %+v lacks %q", name, defects, text)
			}
		}
	}
}

func TestInspectIsolated(t *testing.T) {
	idle := strings.Replace(healthy, "=active", "=inactive", 1)
	manages(t, map[string]string{Service: healthy, spawnerSocketUnit: strings.Replace(healthy, "=enabled", "=disabled", 1), spawnerServiceUnit: idle})
	if defects, err := Inspect(t.Context(), true); err != nil || len(defects) > 0 {
		t.Error(defects, err)
	}
	manages(t, map[string]string{Service: healthy, spawnerSocketUnit: idle})
	defects, err := Inspect(t.Context(), true)
	want := []Defect{
		{"cortex-spawner@1.socket is inactive", "sudo systemctl restart cortex-spawner@1.socket; why: journalctl --unit cortex-daemon"},
		{"cortex-spawner@1.service is not-found", "sudo cortex install daemon --isolated"},
	}
	if err != nil || !slices.Equal(defects, want) {
		t.Error(defects, err)
	}
}

func TestInspectNothing(t *testing.T) {
	manages(t, nil)
	if _, err := Inspect(t.Context(), false); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	supervised(t, "exit 1")
	if _, err := Inspect(t.Context(), false); !errors.Is(err, ErrNoManager) {
		t.Error(err)
	}
}
