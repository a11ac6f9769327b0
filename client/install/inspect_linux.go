package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/vault/owned"
)

// The first of the spawners of an isolated install, which is there in every one.
const (
	spawnerSocketUnit  = "cortex-spawner@1.socket"
	spawnerServiceUnit = "cortex-spawner@1.service"
)

// Inspect asks the service manager how the daemon's service is, that of the system in
// the isolated install and else the user's own. It returns [ErrNoManager] where none
// answers, and [ErrAbsent] where it knows no such service.
func Inspect(ctx context.Context, isolated bool) ([]Defect, error) {
	m := systemd{flags: []string{"--user"}, units: []string{Service}}
	again, owners := "cortex install daemon --personal", []int{os.Geteuid()}
	if isolated {
		m = systemd{units: []string{Service, spawnerSocketUnit, spawnerServiceUnit}}
		again, owners = "sudo cortex install daemon --isolated", nil
	}
	if err := m.check(ctx); err != nil {
		return nil, err
	}
	var defects []Defect
	for _, name := range m.units {
		u, err := m.show(ctx, name)
		switch {
		case err != nil:
			return nil, err
		case u["LoadState"] == "not-found" && name == Service:
			return nil, ErrAbsent
		case u["LoadState"] != "loaded":
			defects = append(defects, Defect{fmt.Sprintf("%s is %s", name, u["LoadState"]), again})
			continue
		}
		defects = slices.Concat(defects, m.state(name, u), program(name, u, again, owners))
	}
	return defects, nil
}

// show returns the properties of a unit.
func (s systemd) show(ctx context.Context, unit string) (map[string]string, error) {
	cmd := s.command(ctx, "show", "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecStart", unit)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	properties := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		properties[name] = value
	}
	return properties, nil
}

// state says what is wrong with how the manager has a unit.
func (s systemd) state(name string, u map[string]string) (defects []Defect) {
	control := func(verb string) string {
		words := slices.Concat([]string{"systemctl"}, s.flags, []string{verb, name})
		if len(s.flags) == 0 {
			words = slices.Concat([]string{"sudo"}, words)
		}
		return strings.Join(words, " ")
	}
	if u["NeedDaemonReload"] == "yes" {
		defects = append(defects, Defect{"the file of " + name + " was changed, and is not what runs", strings.Replace(control("daemon-reload"), " "+name, "", 1) + ", and " + control("restart")})
	}
	// The daemon's unit has those of the spawners started.
	if state := u["UnitFileState"]; name == Service && (state == "disabled" || state == "masked") {
		defects = append(defects, Defect{fmt.Sprintf("%s is %s: nothing starts it at the next login or start", name, state), control("enable")})
	}
	switch state := u["ActiveState"]; {
	case state == "active" || state == "activating" || state == "reloading":
	case name == spawnerServiceUnit && state == "inactive": // its socket starts it
	default:
		defects = append(defects, Defect{fmt.Sprintf("%s is %s", name, state), control("restart") + "; why: " + s.logs()})
	}
	return defects
}

// program says what is wrong with the program that a unit starts.
func program(name string, u map[string]string, again string, owners []int) []Defect {
	_, path, found := strings.Cut(u["ExecStart"], "path=")
	path, _, _ = strings.Cut(path, " ;")
	if !found || path == "" {
		return nil // a socket
	}
	_, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Defect{{fmt.Sprintf("%s starts %s, which is not there", name, path), again}}
	case err != nil:
		return nil // not ours to see
	}
	if path, err = filepath.EvalSymlinks(path); err == nil {
		err = owned.Check(path, owners...)
	}
	if err != nil {
		return []Defect{{fmt.Sprintf("others can change the program that %s starts: %v", name, err), "sudo install cortex /usr/local/bin/, and from there: " + again}}
	}
	return nil
}
