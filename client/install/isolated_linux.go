package install

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
)

//go:embed isolated.service
var isolatedService string

//go:embed spawner@.service
var spawnerService string

//go:embed spawner@.socket
var spawnerSocket string

//go:embed sysusers.conf
var sysusers string

// Users are those of an isolated install: whose the daemon and the programs are,
// and the group that may use the daemon. Programs are of Runs users, Run-1 and so
// on, each one program's at a time, who are in the group Run.
type Users struct {
	Daemon, Run, Group string
	Runs               int
}

// MaxRuns is the most users there are for programs: more than a daemon has clients.
const MaxRuns = 64

// maxUserName is how long the name of a user may be, as useradd(8) has it, with a
// number behind it.
const maxUserName = 28

// isUserName reports whether a name can be a user's, without any character that
// would mean something in the files that it is put into.
func isUserName(name string) bool {
	const first = "abcdefghijklmnopqrstuvwxyz_"
	return name != "" && len(name) <= maxUserName && strings.Contains(first, name[:1]) && strings.Trim(name, first+"0123456789-") == ""
}

func (u Users) validate() error {
	for _, name := range []string{u.Daemon, u.Run, u.Group} {
		if !isUserName(name) {
			return fmt.Errorf("%q cannot name a user: use a-z 0-9 _ and -", name)
		}
	}
	if u.Daemon == u.Run || u.Daemon == "root" || u.Run == "root" {
		return fmt.Errorf("daemon and programs need users of their own, and neither can be root")
	}
	if u.Runs < 1 || u.Runs > MaxRuns {
		return fmt.Errorf("there can be 1 to %d users for programs", MaxRuns)
	}
	if strings.HasPrefix(u.Daemon, u.Run+"-") || strings.HasPrefix(u.Group, u.Run+"-") {
		return fmt.Errorf("names that begin with %s- are for programs", u.Run)
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
	var sockets, spawners, people []string
	for n := range u.Runs {
		name := fmt.Sprint(u.Run, "-", n+1)
		sockets = append(sockets, fmt.Sprintf("cortex-spawner@%d.socket", n+1))
		spawners = append(spawners, fmt.Sprintf("--spawner /run/cortex-spawner/%d.sock", n+1))
		people = append(people, fmt.Sprintf("u %s - \"a program that cortex starts\" /var/lib/%s\nm %s %s\n", name, name, name, u.Run))
	}
	fill := strings.NewReplacer("PROGRAM", quoted("@"+program), "DAEMON", u.Daemon, "RUNNER", u.Run, "GROUP", u.Group,
		"SOCKETS", strings.Join(sockets, " "), "SPAWNERS", strings.Join(spawners, " "))
	file := func(path, text string) File { return File{path, seal(fill.Replace(text), "# ", "")} }
	users := file("/etc/sysusers.d/cortex.conf", sysusers+strings.Join(people, ""))
	i := &Install{
		Files:  []File{users},
		Login:  fmt.Sprintf("sudo -u %s env CORTEX_HOME=/var/lib/cortex-daemon %s daemon login --agent-id ID --url URL", u.Daemon, program),
		Advice: []string{"sudo usermod --append --groups " + u.Group + " USER    # for each who may use it"},
	}
	for _, unit := range []struct{ name, text string }{
		{"cortex-spawner@.socket", spawnerSocket}, {"cortex-spawner@.service", spawnerService}, {Service, isolatedService},
	} {
		i.Files = append(i.Files, file(filepath.Join("/etc/systemd/system", unit.name), unit.text))
	}
	m := systemd{users: users.Path, units: []string{Service}, others: []string{"cortex-spawner@*.socket", "cortex-spawner@*.service"}}
	i.manager, i.Logs = m, m.logs()
	return i, nil
}
