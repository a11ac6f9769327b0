package install

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"

	"github.com/cortex-auth/cortex/client/identity"
)

//go:embed personal.plist
var personalPlist string

// Service is the label of the daemon's agent.
const Service = "com.github.cortex-auth.daemon"

// Personal returns the daemon as an agent of the user's launchd. It gets what
// environment has of the variables that say where its state and its socket are.
func Personal(program string, environment []string) (*Install, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer(
		"LABEL", Service, "PROGRAM", escaped(program), "ENVIRONMENT\n", dictionary(environment),
		"LOG", escaped(filepath.Join(home, "Library/Logs/cortex-daemon.log")),
	).Replace(personalPlist)
	path := filepath.Join(home, "Library/LaunchAgents", Service+".plist")
	return &Install{
		Files: []File{{path, seal(text, "<!-- ", " -->")}},
		Login: identity.LoginCommand("", ""), Logs: "tail ~/Library/Logs/cortex-daemon.log", manager: launchd{path},
	}, nil
}

func escaped(text string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(text)) // a Buffer takes everything
	return b.String()
}

func dictionary(environment []string) (lines string) {
	for _, v := range environment {
		name, value, _ := strings.Cut(v, "=")
		lines += "\t\t<key>" + escaped(name) + "</key><string>" + escaped(value) + "</string>\n"
	}
	return lines
}
