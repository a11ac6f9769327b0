package need

import (
	"fmt"
	"testing"
)

// An outcome is that of a test which ended with it.
type outcome struct{ testing.TB }

func (outcome) Helper()          {}
func (outcome) Fatal(why ...any) { panic("failed: " + fmt.Sprint(why...)) }
func (outcome) Skip(why ...any)  { panic("skipped: " + fmt.Sprint(why...)) }

// A test that does not find what it needs is skipped, and has failed where nothing may be.
func TestUnmet(t *testing.T) {
	for ci, want := range map[string]string{"": "skipped: no disk", "true": "failed: no disk"} {
		t.Setenv("CI", ci)
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("CI=%q: %v", ci, got)
				}
			}()
			Unmet(outcome{}, "no disk")
		}()
	}
}
