package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/vault"
)

func TestMain(m *testing.M) {
	// The daemon starts its monitors from its own program, which is this one.
	if filepath.Base(os.Args[0]) == spawn.Name {
		os.Exit(run(os.Args, os.Stderr))
	}
	// Scripts wait more than they compute, for a login's next question above all.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"cortex": main, "cortex-server": main, "cortex-daemon": main, "cortex-cli": main,
	})
}

// The scripts are sessions with the real binary under its four names.
func TestScripts(t *testing.T) {
	e2e.KeepInherited()
	testscript.Run(t, e2e.Params("scripts/e2e"))
}

const module = "github.com/cortex-auth/cortex"

// arrows says which packages of this module a package may import. A package
// stands for itself and what lies below it; the longest name that fits counts.
var arrows = map[string][]string{
	"": {"server", "daemon", "daemon/spawn", "client/command", "vault/harden"},

	"vault/secretfile": {"vault/opaque"},

	"server":          {"server", "vault", "store", leafs},
	"server/api":      {},
	"server/limit":    {},
	"server/metrics":  {},
	"server/strict":   {"server/api"},
	"vault":           {"vault", "store"},
	"vault/vaulttest": {"vault", "store"},
	"vault/opaque":    {},
	"vault/locked":    {},
	"vault/harden":    {"vault/locked"},
	"vault/access":    {"vault/audit"},
	"vault/audit":     {},
	"vault/backup":    {},
	"vault/dotenv":    {},
	"vault/journal":   {"vault/proof"},
	"vault/jsontext":  {},
	"vault/owned":     {},
	"vault/pinned":    {},
	"vault/proof":     {},
	"vault/sshauth":   {"vault/sshauth"},
	"vault/template":  {"vault/opaque"},
	"vault/token":     {"vault/proof", "vault/opaque"},
	"vault/keyring":   {"vault/opaque", "vault/locked"},
	"store":           {"store"},
	"client":          {"client", "server/api", leafs},
	"client/attack":   {"daemon/ipc", "daemon/peer"},
	"client/command":  {"client", "server/api", "daemon/ipc", "daemon/peer", leafs},
	"daemon":          {"daemon", "client", "client/identity", "server/api", leafs},
	"daemon/drop":     {},
	"daemon/ipc":      {},
	"daemon/mask":     {leafs},
	"daemon/peer":     {},
	"daemon/sshagent": {"daemon/drop", "daemon/peer", leafs},
	"daemon/spawn":    {"daemon/ipc", "daemon/mask", "daemon/peer", leafs},
	"scripts/e2e":     {"scripts/e2e"},
	"scripts/loadgen": {"vault", "store"},

	"server/servertest": {"server", "vault", "store", leafs, "scripts/e2e/logtest"},

	// Nothing of what it asks may answer for it.
	"scripts/blackbox": {"scripts/e2e", "server/servertest"},

	// It makes moves against the real program, and may use what an attacker would.
	"scripts/redteam": {"scripts/e2e", "server", "vault", "client", "daemon"},
}

// leafs stands for the packages of the vault that anybody may import.
const leafs = "leafs"

var leafPackages = []string{
	"vault/audit/note",
	"vault/opaque", "vault/locked", "vault/harden", "vault/proof", "vault/audit", "vault/dotenv", "vault/access", "vault/backup", "vault/token", "vault/template",
	"vault/journal", "vault/secretfile", "vault/sshauth", "vault/pinned", "vault/owned",
}

func TestArrows(t *testing.T) {
	for pkg, imports := range packages(t) {
		from := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
		for _, path := range imports {
			to, ours := strings.CutPrefix(path, module+"/")
			if ours && !allowed(from, to) {
				t.Errorf("%s imports %s", pkg, path)
			}
			if path == "net/http" && strings.HasPrefix(from, "vault") {
				t.Errorf("%s imports %s: the vault never sees HTTP", pkg, path)
			}
			if path == "unsafe" && from != "vault/locked" {
				t.Errorf("%s imports %s", pkg, path)
			}
			// A thief of the file has no other way to read it.
			if path == "go.etcd.io/bbolt" && !strings.HasPrefix(from, "store") && from != "scripts/redteam" {
				t.Errorf("%s imports %s: nothing above the store knows its engine", pkg, path)
			}
		}
	}
}

func allowed(from, to string) bool {
	rule := from
	for {
		if list, ok := arrows[rule]; ok {
			return slices.ContainsFunc(list, func(may string) bool {
				return may == leafs && slices.Contains(leafPackages, to) || within(to, may)
			})
		}
		at := strings.LastIndexByte(rule, '/')
		if at < 0 {
			return false
		}
		rule = rule[:at]
	}
}

// within reports whether a package is the other or lies below it.
func within(pkg, other string) bool {
	return pkg == other || other != "" && strings.HasPrefix(pkg, other+"/")
}

// packages returns the imports of each package, tests left out unless it is
// nothing else.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}{{if not .GoFiles}} {{join .TestImports " "}}{{end}}`, "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		all[fields[0]] = fields[1:]
	}
	if len(all) < 20 {
		t.Fatalf("found %d packages only", len(all))
	}
	return all
}

// What the README has a reader type is what a script types, in the same order.
func TestReadmeSession(t *testing.T) {
	script := scriptCommands(t)
	session := readmeCommands(t)
	if len(session) < 7 {
		t.Fatalf("found %q only", session)
	}
	for _, line := range session {
		at := slices.Index(script, line)
		if at < 0 {
			t.Errorf("scripts/e2e/readme.txtar has no more line for %q; left of it: %q", line, script)
			continue
		}
		script = script[at+1:]
	}
}

// readmeCommands returns the calls of cortex in the README's session, with the
// script's variables for what differs each time.
func readmeCommands(t *testing.T) (list []string) {
	t.Helper()
	_, session, _ := strings.Cut(read(t, "README.md"), "\n## A session\n")
	session, _, _ = strings.Cut(session, "\n## ")
	script := strings.NewReplacer("http://127.0.0.1:3000", "$URL", "CODE", "$CODE")
	comment := regexp.MustCompile(`\s+(#.*|&|2> \S+ &)$`)
	for i, block := range strings.Split(session, "```") {
		for line := range strings.Lines(block) {
			line = comment.ReplaceAllString(strings.TrimPrefix(strings.TrimSpace(line), "$ "), "")
			if i%2 == 1 && strings.HasPrefix(line, "cortex ") {
				list = append(list, script.Replace(line))
			}
		}
	}
	return list
}

// scriptCommands returns the calls of cortex in the script.
func scriptCommands(t *testing.T) (list []string) {
	t.Helper()
	call := regexp.MustCompile(`(?m)^!? ?exec (?:sh -c 'exec )?(cortex .*?)(?: 2> \S+')?(?: &\w*&)?$`)
	for _, m := range call.FindAllStringSubmatch(read(t, "scripts/e2e/readme.txtar"), -1) {
		list = append(list, m[1])
	}
	return list
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A command line that names a verb makes that one alone, under each name of the
// program, and the usual help has all of them.
func TestVerbs(t *testing.T) {
	for name, least := range map[string]int{"cortex": 30, "cortex-cli": 25} {
		all := root([]string{name}).Commands
		if len(all) < least {
			t.Errorf("%s: %d verbs", name, len(all))
		}
		for _, verb := range all {
			alone := root([]string{name, verb.Name, "--help"}).Commands
			if len(alone) != 1 || alone[0].Name != verb.Name {
				t.Errorf("%s %s makes %d commands", name, verb.Name, len(alone))
			}
		}
	}
}

// Completion is for the shell that asks, and for whoever has not said a verb yet.
func TestCompletionWhereItMayBe(t *testing.T) {
	for _, row := range []struct {
		line string
		want bool
	}{
		{"cortex", true},
		{"cortex completion bash", true},
		{"cortex --help", true},
		{"cortex nonsense", true},
		{"cortex-server", true},
		{"cortex run --generate-shell-completion", true},
		{"cortex run -- true", false},
		{"cortex-cli run --help", false},
	} {
		cmd := root(strings.Fields(row.line))
		if cmd.EnableShellCompletion != row.want || (cmd.ConfigureShellCompletionCommand != nil) != row.want {
			t.Errorf("%s: %t", row.line, cmd.EnableShellCompletion)
		}
	}
}

// The messages that the operations guide explains are those that are logged.
func TestLogMessages(t *testing.T) {
	_, logs, _ := strings.Cut(read(t, "docs/operations.md"), "\n## Logs\n")
	logs, _, _ = strings.Cut(logs, "\n## ")
	code := source(t)
	message := regexp.MustCompile("`([^`]+)`")
	found := 0
	for row := range strings.Lines(logs) {
		if !strings.HasPrefix(row, "| `") {
			continue
		}
		cell, _, _ := strings.Cut(row[2:], " |")
		for _, m := range message.FindAllStringSubmatch(cell, -1) {
			if found++; !strings.Contains(code, m[1]) {
				t.Errorf("nothing logs %q", m[1])
			}
		}
	}
	if found < 25 {
		t.Errorf("found %d messages only", found)
	}
}

// The kinds of messages that the operations guide has are those there are.
func TestMessageKinds(t *testing.T) {
	_, table, ok := strings.Cut(read(t, "docs/operations.md"), "\n| kind | severity | what happened |\n")
	if !ok {
		t.Fatal("operations.md does not list them")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var listed []string
	for row := range strings.Lines(table) {
		cell, _, _ := strings.Cut(row[1:], "|")
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
			listed = append(listed, m[1])
		}
	}
	slices.Sort(listed)
	if kinds := vault.MessageKinds(); !slices.Equal(listed, kinds) {
		t.Errorf("operations.md lists %q, there are %q", listed, kinds)
	}
}

// The credentials that a record may name are those that formats.md lists.
func TestRecordedCredentials(t *testing.T) {
	_, list, ok := strings.Cut(read(t, "docs/formats.md"), "| actor: authentication | text | ")
	if !ok {
		t.Fatal("formats.md does not list them")
	}
	list, _, _ = strings.Cut(list, " |")
	listed := strings.Split(strings.Trim(list, "`"), "`, `")
	var used []string
	for _, m := range regexp.MustCompile(`(?:\.caller\(|\bAuth: +|\bauth :?= |\bbyLogin += )"([a-z+-]+)"`).FindAllStringSubmatch(source(t), -1) {
		used = append(used, m[1])
	}
	slices.Sort(listed)
	slices.Sort(used)
	if used = slices.Compact(used); !slices.Equal(listed, used) {
		t.Errorf("formats.md lists %q, used are %q", listed, used)
	}
}

// source returns all code but tests.
func source(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, top := range []string{"vault", "store", "server", "daemon", "client"} {
		err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() && strings.HasSuffix(path, "test") {
				return filepath.SkipDir // it helps tests
			}
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				all.WriteString(read(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// Beside a database that is mapped into memory, to lock all of it would lock the
// whole file.
func TestNobodyLocksAllMemory(t *testing.T) {
	if call := regexp.MustCompile(`(?i)\bmlockall\(|SYS_MLOCKALL`).FindString(source(t)); call != "" {
		t.Errorf("there is %s", call)
	}
}

// What a configuration has for tests alone, no program sets.
func TestTestOnly(t *testing.T) {
	code := source(t)
	if set := regexp.MustCompile(`\bTestOnly\w+(:| *=[^=]).*`).FindString(code); set != "" {
		t.Errorf("there is %s", set)
	}
	if !strings.Contains(code, "TestOnly") {
		t.Error("there is nothing for tests alone")
	}
}

// Links between the documents lead somewhere, and decisions have numbers of their
// own.
func TestDocuments(t *testing.T) {
	documents := []string{"README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/adr/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) < 5 {
			t.Fatalf("%s: %q, %v", pattern, found, err)
		}
		documents = append(documents, found...)
	}
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	numbers := map[string]string{}
	for _, path := range documents {
		for _, m := range link.FindAllStringSubmatch(read(t, path), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s leads to %s, which is not there", path, m[1])
			}
		}
		if number, _, ok := strings.Cut(filepath.Base(path), "-"); ok && filepath.Dir(path) == "docs/adr" {
			if numbers[number] != "" {
				t.Errorf("%s and %s have one number", path, numbers[number])
			}
			numbers[number] = path
		}
	}
}
