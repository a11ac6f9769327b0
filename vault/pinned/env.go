package pinned

import (
	"slices"
	"strings"
)

// DefaultEnv are the variables that every pinned command may have: none of them
// makes a common program run other code, as long as its value is no more than a name, a
// number or a path, and a daemon takes others away. Of PATH it keeps only what whoever
// starts the command cannot change.
var DefaultEnv = []string{
	"CI", "COLORTERM", "COLUMNS", "FORCE_COLOR", "HOME", "LANG", "LANGUAGE", "LC_*", "LINES", "LOGNAME", "NO_COLOR",
	"PATH", "PWD", "TERM", "TMPDIR", "TZ", "USER",
}

// loaders are variables by which somebody can make common programs run other code.
var loaders = []string{
	"AWKLIBPATH", "AWKPATH", "BASH_ENV", "BASH_FUNC_*", "BASHOPTS", "BROWSER", "BUNDLE_*", "CLASSPATH", "DYLD_*", "EDITOR", "ENV", "GCONV_PATH", "GEM_*", "GIT_*",
	"IFS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "LD_*", "LESSCLOSE", "LESSOPEN", "LOCPATH", "LUA_*", "MAKEFILES", "MAKEFLAGS", "MANPAGER", "NLSPATH", "NODE_*",
	"NPM_CONFIG_*", "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES", "PAGER", "PERL*", "PHPRC", "PHP_INI_SCAN_DIR", "PROMPT_COMMAND", "PS4", "PYTHON*",
	"RUBY*", "SHELL", "SHELLOPTS", "SSH_ASKPASS", "TCLLIBPATH", "TERMCAP", "TERMINFO*", "TEXTDOMAIN*", "TZDIR", "VISUAL", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
	"ZDOTDIR", "_JAVA_OPTIONS", "npm_config_*",
}

// Environment returns the variables that a command may have which the pin allows, as
// names or beginnings of names before a *; sorted.
func (p Pin) Environment() []string {
	all := slices.Concat(DefaultEnv, p.Env)
	slices.Sort(all)
	return slices.Compact(all)
}

// InEnv reports whether a variable is one of those that [Pin.Environment] returns.
func InEnv(allowed []string, name string) bool {
	return slices.ContainsFunc(allowed, func(pattern string) bool {
		stem, open := strings.CutSuffix(pattern, "*")
		return pattern == name || open && strings.HasPrefix(name, stem)
	})
}

// LoadsCode reports whether a variable, or a pattern of [Pin].Env that fits one, makes common
// programs run other code.
func LoadsCode(pattern string) bool {
	stem, open := strings.CutSuffix(pattern, "*")
	return slices.ContainsFunc(loaders, func(l string) bool {
		return InEnv([]string{l}, stem) || open && strings.HasPrefix(l, stem)
	})
}
