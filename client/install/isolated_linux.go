package install

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed isolated.service
var isolatedService string

//go:embed spawner.service
var spawnerService string

//go:embed spawner.socket
var spawnerSocket string

//go:embed sysusers.conf
var sysusers string

// Users are those of an isolated install: whose the daemon and the programs are,
// and the group that may use the daemon.
type Users struct{ Daemon, Run, Group string }

var userName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}$`)

func (u Users) validate() error {
	for _, name := range []string{u.Daemon, u.Run, u.Group} {
		if !userName.MatchString(name) {
			return fmt.Errorf("%q cannot name a user: use a-z 0-9 _ and -", name)
		}
	}
	if u.Daemon == u.Run || u.Daemon == "root" || u.Run == "root" {
		return fmt.Errorf("daemon and programs need users of their own, and neither can be root")
	}
	// Whoever is in the group may use the daemon.
	if u.Run == u.Group {
		return fmt.Errorf("the group %s would let programs use the daemon", u.Group)
	}
	return nil
}

// Isolated returns the daemon as a service of the system's systemd, under a user of
// its own, with programs under another one.
func Isolated(program string, u Users) (*Install, error) {
	if err := u.validate(); err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("PROGRAM", quoted("@"+program), "DAEMON", u.Daemon, "RUNNER", u.Run, "GROUP", u.Group)
	file := func(path, text string) File { return File{path, seal(fill.Replace(text), "# ", "")} }
	users := file("/etc/sysusers.d/cortex.conf", sysusers)
	i := &Install{
		Files:  []File{users},
		Login:  fmt.Sprintf("sudo -u %s env CORTEX_HOME=/var/lib/cortex-daemon %s daemon login --agent-id ID --url URL", u.Daemon, program),
		Advice: []string{"sudo usermod --append --groups " + u.Group + " USER    # for each who may use it"},
	}
	var units []string
	for _, unit := range []struct{ name, text string }{
		{"cortex-spawner.socket", spawnerSocket}, {"cortex-spawner.service", spawnerService}, {Service, isolatedService},
	} {
		i.Files = append(i.Files, file(filepath.Join("/etc/systemd/system", unit.name), unit.text))
		units = append(units, unit.name)
	}
	m := systemd{users: users.Path, units: units}
	i.manager, i.Logs = m, m.logs()
	return i, nil
}
