package daemon

import (
	"errors"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// Whoever is refused hears what helps: not how a denied command is approved.
func TestExplainPinned(t *testing.T) {
	for want, d := range map[string]*api.Details{
		"an administrator approves it: cortex pin approve app 0ebc":   {PinID: "0ebc", Why: "deploy.py has changed"},
		"until an administrator removes it: cortex pin remove app 0e": {PinID: "0ebc", Why: pinned.WhyDenied},
		"too many commands wait for a decision":                       {Why: "deploy.py has changed"},
		"too many commands":                                           nil,
	} {
		err := explainPinned(&api.Error{Code: api.CommandNotPinned, Details: d}, "app")
		if got := client.Hint(err); !strings.Contains(got, want) || strings.Contains(got, "approve") != strings.Contains(want, "approve") {
			t.Errorf("%+v: %q", d, got)
		}
	}
	if err := errors.New("other"); explainPinned(err, "app") != err {
		t.Error("another error is explained")
	}
}
