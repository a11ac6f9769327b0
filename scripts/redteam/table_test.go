// Package redteam makes every move of docs/threat-model.md against the real
// program, and compares what came of it with the table there: that a move goes
// further than its row says is an error, and that it goes less far is one, too.
//
// A move is a function that returns an [outcome], under the id of its row; see
// made. It has to be able to see both that it succeeded and that it failed:
// most show first that they find what they look for where nothing protects it.
package redteam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An outcome is what came of a move.
type outcome string

const (
	stopped outcome = "stopped" // it came to nothing
	limited outcome = "limited" // it went as far as the row says, and no further
	alarm   outcome = "alarm"   // it went, and an alarm was recorded
	open    outcome = "open"    // nothing stopped it
)

var outcomes = []outcome{stopped, limited, alarm, open}

// An install is what a move was made against, as the column is called that has
// its outcomes.
type install string

const (
	vaultSide install = "outcome"  // the vault and the network: there is one of them
	personal  install = "personal" // a daemon of the user who calls
	isolated  install = "isolated" // daemon and commands are users of their own
)

// A row is a move and what is to come of it.
type row struct {
	id   string
	who  []string
	move string
	want map[install]outcome
	why  string
}

// columns are the heads of the tables of moves.
var columns = map[string][]install{
	"| id | who | move | outcome | what stops it |":             {vaultSide},
	"| id | who | move | personal | isolated | what stops it |": {personal, isolated},
}

var (
	slug     = regexp.MustCompile("^`([a-z0-9]+(?:-[a-z0-9]+)*)`$")
	position = regexp.MustCompile(`(?m)^\| ([A-Z]) \| `)
)

// parse returns the rows of all tables of moves in a text.
func parse(text string) (rows []row, err error) {
	_, positions, _ := strings.Cut(text, "\n## Where an attacker may stand\n")
	positions, _, _ = strings.Cut(positions, "\n## ")
	var known []string
	for _, m := range position.FindAllStringSubmatch(positions, -1) {
		known = append(known, m[1])
	}
	var in []install
	seen := map[string]bool{}
	for n, line := range strings.Split(text, "\n") {
		head, ok := columns[line]
		switch {
		case ok:
			in = head
			continue
		case !strings.HasPrefix(line, "|"):
			in = nil
			continue
		case in == nil && strings.HasPrefix(line, "| `"):
			return nil, fmt.Errorf("line %d: a row in no table of moves", n+1)
		case in == nil || strings.Trim(line, "|- ") == "":
			continue
		}
		r, err := parseRow(line, in, known)
		if err == nil && seen[r.id] {
			err = fmt.Errorf("the id %s is there twice", r.id)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		seen[r.id] = true
		rows = append(rows, r)
	}
	return rows, nil
}

func parseRow(line string, in []install, known []string) (r row, err error) {
	cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
	if len(cells) != 4+len(in) {
		return r, fmt.Errorf("%d cells, want %d", len(cells), 4+len(in))
	}
	id := slug.FindStringSubmatch(cells[0])
	if id == nil {
		return r, fmt.Errorf("%s is no id", cells[0])
	}
	r = row{id: id[1], who: strings.Split(cells[1], ", "), move: cells[2], want: map[install]outcome{}, why: cells[len(cells)-1]}
	for _, who := range r.who {
		if !slices.Contains(known, who) {
			return r, fmt.Errorf("%s: %q is no position", r.id, who)
		}
	}
	for i, column := range in {
		want := outcome(cells[3+i])
		if !slices.Contains(outcomes, want) {
			return r, fmt.Errorf("%s: %q is no outcome", r.id, want)
		}
		r.want[column] = want
	}
	if r.move == "" || r.why == "" {
		return r, fmt.Errorf("%s says too little", r.id)
	}
	return r, nil
}

// moves are made by the functions under the ids of their rows.
type moves map[string]func(t *testing.T) outcome

// compare returns what is wrong between rows and moves: each row has one move for
// each install, and no move is without a row.
func compare(rows []row, made map[install][]moves) (wrong []string) {
	for _, in := range []install{vaultSide, personal, isolated} {
		have := map[string]int{}
		for _, group := range made[in] {
			for id := range group {
				have[id]++
			}
		}
		for _, r := range rows {
			if _, ok := r.want[in]; !ok {
				continue
			}
			switch have[r.id] {
			case 0:
				wrong = append(wrong, fmt.Sprintf("%s: nobody makes the move %s", in, r.id))
			case 1:
			default:
				wrong = append(wrong, fmt.Sprintf("%s: the move %s is made twice", in, r.id))
			}
			delete(have, r.id)
		}
		for id := range have {
			wrong = append(wrong, fmt.Sprintf("%s: the move %s has no row", in, id))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// verdict compares what came of a move with its row; "" if they agree.
func verdict(r row, in install, got outcome) string {
	if want := r.want[in]; got != want {
		return fmt.Sprintf("%s: %q, but the table says %q: %s; %s", r.id, got, want, r.move, r.why)
	}
	return ""
}
