package install

import (
	"context"
	"os"
)

// Inspect asks launchd how the daemon's agent is. It returns [ErrNoManager] where none
// answers, and [ErrAbsent] where there is no such agent.
func Inspect(ctx context.Context, _ bool) ([]Defect, error) {
	i, err := Personal("", nil)
	if err != nil {
		return nil, err
	}
	l := launchd{i.Files[0].Path}
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	if _, err := os.Stat(l.plist); err != nil {
		return nil, ErrAbsent
	}
	if !l.loaded(ctx) {
		return []Defect{{"launchd has not loaded " + l.plist, "launchctl bootstrap " + l.domain() + " " + l.plist}}, nil
	}
	return nil, nil
}
