package vault

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/vault/access"
)

// When failures of one kind from one source are an alarm: so many within so
// long. There is one alarm for each in that time, for so many that had most;
// those beyond share one for each kind.
const (
	repeatWindow = 10 * time.Minute
	repeatLimit  = 50
	repeatAlarms = 20
)

// A repeat is what an alarm is about. It has nothing in it that whoever fails
// can choose, but for where he is.
type repeat struct {
	action access.Action
	source string
}

// repeats counts the failures of the current window. The zero value is ready.
type repeats struct {
	began  time.Time
	counts map[repeat]int
	told   map[repeat]bool // an alarm was raised, in this window
}

// add counts one failure.
func (r *repeats) add(what repeat) {
	if now := time.Now(); now.Sub(r.began) >= repeatWindow {
		*r = repeats{began: now, counts: map[repeat]int{}, told: map[repeat]bool{}}
	}
	if _, known := r.counts[what]; !known && len(r.counts) >= failureKinds {
		what.source = otherSources
	}
	r.counts[what]++
}

// take returns the alarms that are due, those about most failures first.
func (r *repeats) take() (alarms []counted) {
	due := map[repeat]int{}
	for _, what := range worst(r.counts) {
		n := r.counts[what]
		if n < repeatLimit || r.told[what] {
			continue
		}
		if what.source != otherSources {
			r.told[what] = true
		}
		if len(r.told) > repeatAlarms {
			what.source = otherSources
		}
		due[what] += n
	}
	for _, what := range worst(due) {
		if what.source == otherSources {
			if r.told[what] {
				continue
			}
			r.told[what] = true
		}
		alarms = append(alarms, what.alarm(due[what]))
	}
	return alarms
}

// worst returns what was counted, most often first.
func worst(counts map[repeat]int) []repeat {
	return slices.SortedFunc(maps.Keys(counts), func(a, b repeat) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(string(a.action), string(b.action)), strings.Compare(a.source, b.source))
	})
}

func (what repeat) alarm(n int) counted {
	return counted{what.source, record{
		action: access.RepeatedFailures, status: statusAlarm,
		resource: fmt.Sprintf("%s: %d within %d minutes", what.action, n, repeatWindow/time.Minute),
	}}
}
