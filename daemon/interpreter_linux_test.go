package daemon

import (
	"slices"
	"strings"
	"testing"
)

// An interpreter runs a file that was looked at, or is marked.
func TestInterpreters(t *testing.T) {
	for want, commands := range map[bool][]string{true: {
		"awk BEGIN{system(1)} -f data",                   // an option behind a text
		"sed -f data -e 1e",                              // a text besides a file
		"sed -f data data --expression=1e",               // a text behind operands
		"sed -f data --expr=1e data",                     // a text by a short name
		"gawk -f data -W exec=x data",                    // a text in a list
		"bash +O data -c x",                              // an option with a plus
		"bash -oc data data x",                           // an option behind a cluster
		"python3 -i data",                                // what is interactive
		"python3 -W data",                                // a file as a value
		"node --import data:text/javascript,x data",      // code in an URL
		"node --import=data:text/javascript,x data",      // code in an URL behind =
		"deno run --config=https://example.com/x ./data", // another URL
		"node app data",                                  // a name without its end
		"perl -Mstrict;x data",                           // a module of perl
		"ruby -Csub data",                                // a directory of ruby
		"awk data data",                                  // a text that is a file
		"node --require=./x data",                        // what is loaded first
		"ruby --disable=gems --eval=x data",              // code behind =
		"php -d auto_prepend_file=data:,x data",          // a setting of php
		"deno eval x data",                               // a verb
		"deno eval x",                                    // a verb that is a file
		"fish -f data -c x",                              // a command before a file
		"expect -f data -c x",                            // a command behind a file
		"busybox awk x data",                             // one of many
		"sh - data",                                      // standard input by -
		"sh -c data",                                     // a file that is an option
		"xvfb-run sh -c x",                               // a shell in a shell's script
		"python3 -c x",                                   // as simple as that
	}, false: {
		"awk -F : -vx=1 -v y=2 -fdata data",                                         // options of a text in a file
		"sed -n -E --posix --file=data -l 5 -- data -e",                             // a text in a file, at length
		"bash -eu +x -o pipefail +eO extglob --norc data -c",                        // options of a shell
		"python3 -uW error -Xdev data -c",                                           // a value and a file
		"node --no-warnings --max-old-space-size=99 --enable-source-maps data -e x", // options of node
		"php -nf data", // a file of php
		"deno run -A --allow-net --allow-read=/srv ./data eval", // a verb that runs
		"expect -f data x -c",      // a file that is run
		"busybox awk -f data data", // one of many with a file
		"busybox ls -c data",       // none of many
		"sh -e -- -c",              // behind the options
	}} {
		for _, command := range commands {
			b := newBench(t)
			b.env = append(b.env, "PATH="+b.at("bin"))
			words := strings.Fields(command)
			for _, name := range []string{"data", "eval", "-", "-c"} {
				b.write(name, "data", 0o644)
			}
			for _, program := range []string{"\x7fELF", "#!/bin/sh\n"} {
				b.write("bin/"+words[0], program, 0o755)
				if weak := b.measure(words...).Weak; slices.Contains(weak, "inline") != want || len(weak) > 1 {
					t.Errorf("%s: %q", command, weak)
				}
			}
		}
	}
}
