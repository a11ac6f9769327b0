package spawn

import "strings"

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

// lookup returns the last value of a variable, as shells take it.
func lookup(env []string, name string) (value string, ok bool) {
	for _, v := range env {
		if rest, found := strings.CutPrefix(v, name+"="); found {
			value, ok = rest, true
		}
	}
	return value, ok
}
