package spawn

import (
	"os"
	"slices"
	"strings"
)

// environment returns the caller's variables with the secrets in place of
// those of their names. An empty name, which cannot come from a Spec, is left
// out. The order is kept; secrets come last.
func environment(env []string, secrets []Secret) []string {
	taken := make(map[string]bool, len(secrets))
	for _, s := range secrets {
		taken[s.Name] = true
	}
	out := make([]string, 0, len(env)+len(secrets))
	for _, v := range env {
		if name, _, _ := strings.Cut(v, "="); !taken[name] {
			out = append(out, v)
		}
	}
	for _, s := range secrets {
		out = append(out, s.Name+"="+string(s.Value.Reveal()))
	}
	return out
}

// identityNames are the variables that say who somebody is, and where what is his
// lies.
var identityNames = []string{
	"HOME", "USER", "LOGNAME", "SHELL", "TMPDIR",
	"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
}

// identified returns the caller's variables for a program that is somebody else,
// who is what own says: nobody, if the program is the caller's own.
func identified(env, own []string) []string {
	if len(own) == 0 {
		return env
	}
	others := slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(identityNames, name)
	})
	return append(others, own...)
}

// identity is what this process knows of who programs are, if they are not the
// callers' own.
func identity() (env []string) {
	for _, name := range identityNames {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// Lookup returns the last value of a variable, as shells take it.
func Lookup(env []string, name string) (value string, ok bool) {
	for _, v := range env {
		if rest, found := strings.CutPrefix(v, name+"="); found {
			value, ok = rest, true
		}
	}
	return value, ok
}
