package install

import (
	_ "embed"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/cortex-auth/cortex/client/identity"
)

//go:embed personal.service
var personalService string

// Service is the name of the daemon's unit.
const Service = "cortex-daemon.service"

// Personal returns the daemon as a service of the user's own systemd. It gets what
// environment has of the variables that say where its state and its socket are.
func Personal(program string, environment []string) (*Install, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer("PROGRAM", quoted("@"+program), "ENVIRONMENT\n", assignments(environment)).Replace(personalService)
	m := systemd{flags: []string{"--user"}, units: []string{Service}}
	return &Install{
		Files: []File{{filepath.Join(config, "systemd/user", Service), seal(text, "# ", "")}},
		Login: identity.LoginCommand("", ""), Logs: m.logs(), Advice: lingering(), manager: m,
	}, nil
}

// quoted returns a word for a unit file: systemd.syntax(7), and with its
// specifiers doubled.
func quoted(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`).Replace(word) + `"`
}

func assignments(environment []string) (lines string) {
	for _, v := range environment {
		lines += "Environment=" + quoted(v) + "\n"
	}
	return lines
}

// lingering advises whoever is not, unless that cannot be told.
func lingering() []string {
	me, err := user.Current()
	if err != nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join("/var/lib/systemd/linger", me.Username)); err == nil {
		return nil
	}
	return []string{"loginctl enable-linger    # if it is to run while you are not logged in"}
}
