package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// bashCompletion asks the program itself. What is typed on the line is passed on
// as it is: completing must not run it. (compgen -W would.) It needs nothing of
// the package bash-completion.
const bashCompletion = `# bash completion for NAME
_FUNCTION() {
  local cur=${COMP_WORDS[COMP_CWORD]} line
  local words=("${COMP_WORDS[@]:0:COMP_CWORD}")
  [[ $cur == -* ]] && words+=("$cur")
  COMPREPLY=()
  while IFS= read -r line; do
    line=${line%%:*}
    [[ -n $line && $line == "$cur"* ]] && COMPREPLY+=("$line")
  done < <(command "${words[@]}" --generate-shell-completion 2>/dev/null)
}
complete -o bashdefault -o default -F _FUNCTION NAME
`

const completionHelp = `Prints the shell's completion script. To have it in every shell:
   bash:  echo 'source <(NAME completion bash)' >> ~/.bashrc
   zsh:   echo 'source <(NAME completion zsh)' >> ~/.zshrc
   fish:  NAME completion fish > ~/.config/fish/completions/NAME.fish`

// MayComplete reports whether a command line may be about completion, as what a
// shell asks is, and whatever does not name a verb of root: see [Needed]. Where it
// is not, the verb for that would be made for nothing.
func MayComplete(args []string, root *cli.Command) bool {
	return len(root.Commands) != 1 || args[len(args)-1] == "--generate-shell-completion"
}

// Completion sets up the verb that prints completion scripts. It is for
// [cli.Command.ConfigureShellCompletionCommand] of the root called name.
func Completion(name string) func(*cli.Command) {
	return func(cmd *cli.Command) {
		cmd.Hidden = false
		cmd.Usage = "print the shell's completion script"
		cmd.Description = strings.ReplaceAll(completionHelp, "NAME", name)
		// The one for PowerShell evaluates what is typed.
		cmd.Commands = slices.DeleteFunc(cmd.Commands, func(c *cli.Command) bool { return c.Name == "pwsh" })
		for _, c := range cmd.Commands {
			c.Usage = "print the script for " + c.Name
			if c.Name == "bash" {
				c.Action = func(_ context.Context, c *cli.Command) error {
					function := strings.ReplaceAll(name, "-", "_") + "_completion"
					_, err := fmt.Fprint(c.Root().Writer, strings.NewReplacer("NAME", name, "FUNCTION", function).Replace(bashCompletion))
					return err
				}
			}
		}
		strict(cmd)
	}
}
