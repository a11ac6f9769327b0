package attack

import (
	"errors"
	"fmt"
	"testing"
)

// A result is bad where more got through than is said of the install, and nowhere else.
func TestJudge(t *testing.T) {
	m := Move{ID: "a", Personal: Open, Isolated: Stopped, Root: true, Fix: "do it"}
	for _, row := range []struct {
		isolated, root bool
		got            finding
		err            error
		ok             bool
		fix, evidence  string
	}{
		{false, false, finding{Open, "e", ""}, nil, true, "do it", "e"},
		{false, false, finding{Stopped, "e", ""}, nil, true, "", "e"},
		{true, false, finding{Stopped, "e", ""}, nil, true, "", "e"},
		{true, false, finding{Limited, "e", ""}, nil, false, "do it", "e"},
		{true, false, finding{Alarm, "e", ""}, nil, false, "do it", "e"},
		{true, false, finding{Open, "e", ""}, nil, false, "do it", "e"},
		{true, false, finding{Open, "e", "somebody said so"}, nil, true, "do it", "e: somebody said so"},
		{true, true, finding{Open, "e", ""}, nil, true, "do it", "e"},
		{true, false, finding{}, fmt.Errorf("%w: no e", errUntried), true, "", "no e"},
		{true, false, finding{}, errors.New("no e"), true, "", "no e"},
	} {
		r := m.judge(Config{Isolated: row.isolated}, row.root, row.got, row.err)
		if r.OK != row.ok || r.Fix != row.fix || r.Evidence != row.evidence || row.err != nil && r.Outcome != "" {
			t.Errorf("%+v: %+v", row, r)
		}
		if (Report{Results: []Result{r}}).OK() != row.ok {
			t.Errorf("%+v: the report differs", row)
		}
	}
}

func TestMoves(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Moves() {
		if m.ID == "" || seen[m.ID] || m.Tries == "" || len(m.Position) != 1 || m.Fix == "" || m.try == nil {
			t.Errorf("%+v", m)
		}
		seen[m.ID] = true
		for _, o := range []Outcome{m.Personal, m.Isolated} {
			if _, ok := severity[o]; !ok {
				t.Errorf("%s: %q", m.ID, o)
			}
		}
	}
}
