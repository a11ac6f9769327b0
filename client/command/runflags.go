package command

import (
	"errors"
	"time"

	"github.com/urfave/cli/v3"
)

// flags say which variables the command gets.
func (n *runNames) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "env", Usage: "give the variable ALIAS under another name: `NAME=ALIAS`, also several times", Destination: &n.aliases},
		&cli.StringSliceFlag{Name: "file", Usage: "give the secret NAME in a file in memory, whose path VARIABLE holds: `NAME=VARIABLE`, also several times", Destination: &n.files},
		&cli.StringSliceFlag{Name: "template", Usage: "give a template of the vault, with the values in it, in such a file: `PATH=VARIABLE`, also several times", Destination: &n.templates},
		&cli.StringSliceFlag{Name: "template-file", Usage: "let the template with VARIABLE be a file on a disk, in this directory or below, while COMMAND runs: `VARIABLE=PATH`, also several times", Destination: &n.templateFiles},
		&cli.StringFlag{Name: "stdin", Usage: "let COMMAND read the secret `VARIABLE` as its standard input", OnlyOnce: true, Destination: &n.stdin},
		&cli.StringSliceFlag{Name: "only", Usage: "of the names in the file only the `VARIABLE`, or several", Destination: &n.only},
		&cli.StringSliceFlag{Name: "ssh", Usage: "an SSH agent for the key that the vault has as `VARIABLE`, or several", Destination: &n.ssh},
		&cli.BoolFlag{Name: "no-inherit", Usage: "of the environment only PATH, HOME, TERM, LANG and the like", Destination: &n.noInherit},
	}
}

// A timeFlag is a time that [readDuration] reads. The zero value is none.
type timeFlag time.Duration

// Set takes a time.
func (f *timeFlag) Set(text string) error {
	d, err := readDuration(text)
	if err != nil || d <= 0 {
		return errors.New("bad time: write it as 90s, 10m, 1h or 2d")
	}
	*f = timeFlag(d)
	return nil
}

// String returns the time, "" if there is none.
func (f *timeFlag) String() string {
	if f == nil || *f == 0 {
		return ""
	}
	return duration(time.Duration(*f))
}

// Get returns the time.
func (f *timeFlag) Get() any { return time.Duration(*f) }

// usualPatience is how long --wait alone waits.
const usualPatience = 10 * time.Minute

// A waitFlag is the value of --wait, which stands alone or has a time behind =.
type waitFlag struct{ timeFlag }

// Set takes a time, or "true" for the usual one.
func (f *waitFlag) Set(text string) error {
	if text == "true" {
		f.timeFlag = timeFlag(usualPatience)
		return nil
	}
	return f.timeFlag.Set(text)
}

// IsBoolFlag tells that the flag can stand alone.
func (f *waitFlag) IsBoolFlag() bool { return true }
